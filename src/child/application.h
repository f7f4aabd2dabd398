/*
 * application.h - the application of a configuration, in its Python.
 */
#ifndef WSGID_CHILD_APPLICATION_H
#define WSGID_CHILD_APPLICATION_H

struct app;
struct app_forks;
struct config;
struct err;
struct facts;

/* Start Python as the configuration and what this program was built with say;
 * changes the current directory.  0 and *ret with the GIL held, or a negative
 * errno and a sentence. */
int application_start(struct app **ret, const struct config *config,
	const struct facts *facts, const struct app_forks *forks,
	struct err *err);

/* Import the application.  Its traceback goes to standard error; 0, or a
 * negative errno and a sentence. */
int application_import(
	struct app *app, const struct config *config, struct err *err);

/* End its Python, as app_destroy; where that takes long, the log says so. */
void application_end(struct app *app);

#endif
