/*
 * orphan.c - what a child does at the moment it loses its master.
 *
 * Closing its own descriptors would not do: a ring that waits on a listener
 * keeps it open, and siblings have it too.  shutdown(2) works on the socket
 * itself, so the first child that hears of the death frees the port for all;
 * for the same reason it must not be done to a socket that others go on with.
 *
 * The signal also comes when another parent than the master ends, one that
 * has forked us on the master's behalf; the end of the channel tells which.
 */
#include "child/orphan.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/signals.h"

/* The handler's, which can be given nothing. */
static struct orphan_settings own;

static bool
master_is_gone(void)
{
	struct pollfd p = {.fd = own.channel, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
}

void
orphan_shut_listeners(void)
{
	for (size_t i = 0; i < own.n_listeners && *own.shared == 0; i++)
		(void)shutdown(own.listeners[i], SHUT_RD);
}

static void
on_death(int signal)
{
	int before = errno;

	(void)signal;
	if (master_is_gone())
		orphan_shut_listeners();
	errno = before;
}

void
orphan_prepare(const struct orphan_settings *settings)
{
	/* The application's system calls go on after it. */
	struct sigaction action = {
		.sa_handler = on_death, .sa_flags = SA_RESTART};

	own = *settings;
	(void)sigaction(signal_of_death(), &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, signal_of_death());
	/* It may have died before. */
	on_death(signal_of_death());
}
