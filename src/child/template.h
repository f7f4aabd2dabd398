/*
 * template.h - the process that has the application and forks children.
 */
#ifndef WSGID_CHILD_TEMPLATE_H
#define WSGID_CHILD_TEMPLATE_H

struct app;
struct err;
struct inheritance;

enum template_end {
	TEMPLATE_OVER,   /* it was told to go, or the master is gone */
	TEMPLATE_FORKED, /* this is a child, with its own in its hands */
};

/* With the application imported and the GIL held: report READY, and obey the
 * master's orders.  Returns once in the template and once in each child that it
 * forks, there with the child's own slot in *in.  An enum template_end, or a
 * negative errno and a sentence. */
int template_run(struct app *app, struct inheritance *in, struct err *err);

/* SIGTERM's handler in a template: as if the master had gone. */
void template_on_sigterm(int signal);

#endif
