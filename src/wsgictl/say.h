/*
 * say.h - the only way by which text leaves wsgictl.
 *
 * Names of files, words of applications and of whoever sits behind a socket
 * are in it, and it goes to a terminal, often root's.
 */
#ifndef WSGID_WSGICTL_SAY_H
#define WSGID_WSGICTL_SAY_H

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/defs.h"

/* As printf(3): newlines and tabs stay, and of all else what may be shown
 * (base/printable.h). */
void say(const char *format, ...) PRINTF(1, 2);
void say_to(FILE *to, const char *format, ...) PRINTF(2, 3);
void say_valist(FILE *to, const char *format, va_list args) PRINTF(2, 0);

/* The same of what stands in the buffer, which is changed. */
void say_buf(FILE *to, struct buf *text);

#endif
