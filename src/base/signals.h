/*
 * signals.h - signals with a meaning between the server's own processes.
 *
 * Real-time ones, which no application is likely to have a use for.
 */
#ifndef WSGID_BASE_SIGNALS_H
#define WSGID_BASE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* To a child: write the Python stacks of all threads. */
int signal_traceback(void);

/* Send it to a process that is about to be killed, or to one thread of this one,
 * which is to write them without asking anybody; and was it sent so? */
void signal_ask_at_once(pid_t pid);
void signal_ask_thread_at_once(pid_t tid);
bool signal_is_at_once(const siginfo_t *info);

/* To one thread of this process, or to all others of it as far as they can be found:
 * one of them is to answer the question of that number, which is positive and even.
 * Which is it?  0: none.  All three may be called in a handler; false when there is no
 * such thread. */
bool signal_ask_thread(pid_t tid, int question);
void signal_ask_threads(int question);
int signal_question(const siginfo_t *info);

/* To a child, by the kernel: its parent has died. */
int signal_of_death(void);

/* To a helper thread, which waits for it: alarm.h. */
int signal_of_alarm(void);

#endif
