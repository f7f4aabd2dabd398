/*
 * signals.h - signals with a meaning between the server's own processes.
 *
 * Real-time ones, which no application is likely to have a use for.
 */
#ifndef WSGID_BASE_SIGNALS_H
#define WSGID_BASE_SIGNALS_H

/* To a thread of a child: write the Python stacks of all threads. */
int signal_traceback(void);

/* To a child, by the kernel: its parent has died. */
int signal_of_death(void);

/* To a helper thread, which waits for it: alarm.h. */
int signal_of_alarm(void);

#endif
