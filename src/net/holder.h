/*
 * holder.h - who has the address that we wanted.
 */
#ifndef WSGID_NET_HOLDER_H
#define WSGID_NET_HOLDER_H

#include <stddef.h>
#include <sys/types.h>

#include "net/address.h"

enum { HOLDER_PROGRAM = 32, HOLDER_TITLE = 80 };

/* The process that listens there, and its program's name.  0 when /proc
 * does not tell: another user's processes are shown to root only, and a
 * program in another network namespace (a container) to nobody. */
pid_t holder_find(const struct address *a, char program[HOLDER_PROGRAM]);

/* What ps(1) shows of a process: its command line, or the title that it has
 * given itself, in printable ASCII; "" when it is gone or shows nothing. */
void holder_title(pid_t pid, char title[HOLDER_TITLE]);

#endif
