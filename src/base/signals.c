/*
 * signals.c - signals with a meaning between the server's own processes.
 *
 * Functions, because the C library keeps some real-time signals for itself and
 * says at run time which is the first that is free.
 */
#include "base/signals.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AT_ONCE = 1 }; /* no question's number */

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

static bool
ask_thread(pid_t tid, int value)
{
	siginfo_t info = {
		.si_signo = signal_traceback(),
		.si_code = SI_QUEUE,
	};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, info.si_signo,
		       &info) == 0;
}

void
signal_ask_thread_at_once(pid_t tid)
{
	(void)ask_thread(tid, AT_ONCE);
}

bool
signal_is_at_once(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_value.sival_int == AT_ONCE;
}

bool
signal_ask_thread(pid_t tid, int question)
{
	return ask_thread(tid, question);
}

/* 0 for what is no number. */
static pid_t
number_of(const char *name)
{
	pid_t n = 0;

	for (; *name >= '0' && *name <= '9'; name++)
		n = 10 * n + (*name - '0');
	return *name == '\0' ? n : 0;
}

static void
ask_listed(const char *entries, size_t len, int question)
{
	for (size_t at = 0; at < len;) {
		const struct dirent64 *entry = (const void *)(entries + at);
		pid_t tid = number_of(entry->d_name);

		if (tid > 0 && tid != gettid())
			(void)ask_thread(tid, question);
		at += entry->d_reclen;
	}
}

/* A handler may have no memory: so by the system calls themselves. */
void
signal_ask_threads(int question)
{
	alignas(struct dirent64) char entries[4096];
	int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = getdents64(fd, entries, sizeof(entries))) > 0)
		ask_listed(entries, (size_t)n, question);
	close(fd);
}

int
signal_question(const siginfo_t *info)
{
	int value = info->si_value.sival_int;

	return info->si_code == SI_QUEUE && value > 0 && value % 2 == 0 ? value
									: 0;
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
