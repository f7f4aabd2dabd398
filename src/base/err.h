/*
 * err.h - a failure that a person has to mend, in one sentence.
 *
 * Made where the facts are known, printed where it is decided what to do
 * about it, and nowhere in between.
 */
#ifndef WSGID_BASE_ERR_H
#define WSGID_BASE_ERR_H

#include "base/defs.h"

struct err {
	int code; /* an errno, positive; 0 when there is no error */
	char text[1024];
};

/* Set the sentence.  err_set appends ": " and errno's text for code;
 * err_setx does not.  Both return -code, so that a caller can write
 * "return err_set(err, errno, "Listen %s", text);".  err may be NULL. */
int err_set(struct err *err, int code, const char *format, ...) PRINTF(3, 4);
int err_setx(struct err *err, int code, const char *format, ...) PRINTF(3, 4);

/* Put "where: " in front of the sentence; nothing where where is "". */
void err_at(struct err *err, const char *where);

#endif
