/*
 * sigterm.h - SIGTERM, as something that a loop can wait for.
 *
 * A flag alone would be looked at between two waits, and a signal that comes
 * between the look and the wait be heard with the next client.
 */
#ifndef WSGID_CHILD_SIGTERM_H
#define WSGID_CHILD_SIGTERM_H

#include <signal.h>
#include <stdbool.h>

/* The handler. */
void sigterm_on_signal(int signal);

/* The handler of SIGINT: one that this process has sent itself, as mod_wsgi's
 * manual has it, is as good as SIGTERM.  All others are only noted. */
void sigterm_on_interrupt(int signal, siginfo_t *info, void *context);

/* Such another one has come, as with Ctrl-C. */
bool sigterm_interrupted(void);

/* It has come. */
bool sigterm_came(void);

/* A descriptor that is readable when it has, before or after: not to be read,
 * and to be closed by sigterm_close, in a forked copy as well.  Or a negative
 * errno.  There is one at a time: the last is rung. */
int sigterm_open(void);
void sigterm_close(int fd);

#endif
