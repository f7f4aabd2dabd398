/*
 * libraries.h - what has come into this process that is a Python as well.
 *
 * An extension module may bring a libpython of its own, and it is loaded with
 * whatever imports it: with the application, which is then refused, or only in
 * the middle of a request, as Django does with views.  Who serves by then goes
 * on, but it is said.
 */
#ifndef WSGID_CHILD_LIBRARIES_H
#define WSGID_CHILD_LIBRARIES_H

#include <stdatomic.h>
#include <stdbool.h>

struct err;

/* Of the child, for all of its workers. */
struct libraries {
	bool has_own;                    /* Python is no shared library */
	int channel;                     /* to the master */
	_Atomic unsigned long long seen; /* so many had been loaded */
	atomic_bool told, asked;
};

void libraries_init(struct libraries *l, bool has_own, int channel);

/* The application is imported.  0, or a negative errno and a sentence. */
int libraries_check(struct libraries *l, struct err *err);

/* Between requests, by any worker and without the GIL: cheap where nothing has
 * been loaded since.  What would be refused at the import is logged, once. */
void libraries_look(struct libraries *l);

#endif
