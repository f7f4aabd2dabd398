/*
 * sigterm.c - SIGTERM, as something that a loop can wait for.
 *
 * What the handler uses can be given to it by nobody, so it is here: the flags,
 * and the descriptor once there is one.
 */
#include "child/sigterm.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t bell = -1;

static void
ring(void)
{
	uint64_t one = 1;

	if (bell >= 0)
		(void)!write(bell, &one, sizeof(one));
}

void
sigterm_on_signal(int signal)
{
	int before = errno;

	(void)signal;
	came = 1;
	ring();
	errno = before;
}

/* Ctrl-C comes from the kernel. */
static bool
is_own(const siginfo_t *info)
{
	return (info->si_code == SI_USER || info->si_code == SI_TKILL ||
		       info->si_code == SI_QUEUE) &&
	       info->si_pid == getpid();
}

/* Whatever SIGTERM means to this process: to a template or a copy, or to who has
 * a handler of its own, it is something else. */
void
sigterm_on_interrupt(int signal, siginfo_t *info, void *context)
{
	int before = errno;

	(void)signal;
	(void)context;
	if (is_own(info))
		(void)kill(getpid(), SIGTERM);
	else
		interrupted = 1;
	errno = before;
}

bool
sigterm_interrupted(void)
{
	return interrupted != 0;
}

bool
sigterm_came(void)
{
	return came != 0;
}

int
sigterm_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	bell = fd;
	if (came)
		ring();
	return fd;
}

void
sigterm_close(int fd)
{
	if (bell == fd)
		bell = -1;
	close(fd);
}
