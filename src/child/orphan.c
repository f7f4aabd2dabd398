/*
 * orphan.c - what a child does at the moment it loses its master.
 *
 * Closing its own descriptors would not do: a ring that waits on a listener
 * keeps it open, and siblings have it too.  shutdown(2) works on the socket
 * itself, so the first child that hears of the death frees the port for all;
 * for the same reason it must not be done to a socket that others go on with.
 *
 * A master kills whoever does not finish in time.  Where there is none the
 * kernel does, by a timer that is wound up here: a request that never ends would
 * keep the process for ever.
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
#include <time.h>

#include "base/signals.h"

/* The handler's, which can be given nothing. */
static struct orphan_settings own;
static timer_t end;
static bool has_end;

static bool
master_is_gone(void)
{
	struct pollfd p = {.fd = own.channel, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
}

static void
wind_up(void)
{
	struct itimerspec left = {0};
	struct itimerspec when = {
		.it_value = {.tv_sec = own.timeout_ms / 1000,
			.tv_nsec = own.timeout_ms % 1000 * 1000000}};

	if (has_end && timer_gettime(end, &left) == 0 &&
		left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
		(void)timer_settime(end, 0, &when, NULL);
}

void
orphan_begin(void)
{
	for (size_t i = 0; i < own.n_listeners && *own.shared == 0; i++)
		(void)shutdown(own.listeners[i], SHUT_RD);
	wind_up();
}

static void
on_death(int signal)
{
	int before = errno;

	(void)signal;
	if (master_is_gone())
		orphan_begin();
	errno = before;
}

/* A copy of the process has none of it, and its own when it comes here. */
static void
make_end(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

	has_end = own.timeout_ms > 0 &&
		  timer_create(CLOCK_MONOTONIC, &event, &end) == 0;
}

void
orphan_prepare(const struct orphan_settings *settings)
{
	/* The application's system calls go on after it. */
	struct sigaction action = {
		.sa_handler = on_death, .sa_flags = SA_RESTART};

	own = *settings;
	make_end();
	(void)sigaction(signal_of_death(), &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, signal_of_death());
	/* It may have died before. */
	on_death(signal_of_death());
}
