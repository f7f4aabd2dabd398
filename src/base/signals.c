/*
 * signals.c - signals with a meaning between the server's own processes.
 *
 * Functions, because the C library keeps some real-time signals for itself and
 * says at run time which is the first that is free.
 */
#include "base/signals.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { AT_ONCE = 1 };

int
signal_traceback(void)
{
	return SIGRTMIN + 7;
}

void
signal_ask_at_once(pid_t pid)
{
	(void)sigqueue(
		pid, signal_traceback(), (union sigval){.sival_int = AT_ONCE});
}

void
signal_ask_thread_at_once(pid_t tid)
{
	siginfo_t info = {
		.si_signo = signal_traceback(),
		.si_code = SI_QUEUE,
	};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = AT_ONCE;
	(void)syscall(
		SYS_rt_tgsigqueueinfo, getpid(), tid, info.si_signo, &info);
}

bool
signal_is_at_once(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_value.sival_int == AT_ONCE;
}

int
signal_of_death(void)
{
	return SIGRTMIN + 8;
}

int
signal_of_alarm(void)
{
	return SIGRTMIN + 9;
}
