/*
 * guard.c - a listener that a child has shut listens again.
 *
 * shutdown(2) works on the socket itself, whoever else holds it, and a child
 * has to hold it: an application that turns on its server could have everybody
 * refused until a restart.  The kernel says so by a hang-up, which the master
 * waits for; the socket is the same afterwards, so the children go on with it.
 *
 * When the master shuts its listeners itself it is stopping, and nobody looks.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "master/state.h"

enum { QUIET_S = 10 }; /* between two lines of the log */

static void
say(struct master *m, const struct listener *l, int rc)
{
	char text[ADDRESS_TEXT];

	if (rc == 0 || m->now_ns < m->guard.quiet_until_ns)
		return;
	m->guard.quiet_until_ns = m->now_ns + QUIET_S * SECOND_NS;
	address_format(&l->address, text);
	if (rc > 0)
		log_errorx("master",
			"Listen %s: a child has shut this socket, as only the "
			"application could; it listens again",
			text);
	else
		log_errorx("master",
			"Listen %s: a child has shut this socket, as only the "
			"application could, and it cannot listen again: %s; "
			"restart the server",
			text, strerror(-rc));
}

static void
hung_up(struct master *m, struct source *s)
{
	struct epoll_event event;

	while (epoll_wait(s->fd, &event, 1, 0) > 0)
		continue;
	for (size_t i = 0; m->phase == PHASE_RUNNING && i < m->now->n_listeners;
		i++) {
		const struct listener *l = &m->now->listeners[i];

		say(m, l, listen_again(l, (int)m->now->config->listen_backlog));
	}
}

/* A hang-up is reported without being asked for; once, for each that comes. */
static void
add_listeners(struct master *m)
{
	for (size_t i = 0; i < m->now->n_listeners; i++) {
		struct epoll_event event = {.events = EPOLLET};

		(void)epoll_ctl(m->guard.hangups.fd, EPOLL_CTL_ADD,
			m->now->listeners[i].fd, &event);
	}
}

void
guard_turn(struct master *m)
{
	struct guard *g = &m->guard;

	if (m->phase != PHASE_RUNNING || g->generation == m->now->number)
		return;
	g->generation = m->now->number;
	if (g->hangups.fd < 0) {
		int set = epoll_create1(EPOLL_CLOEXEC);

		if (set < 0 || master_watch(m, &g->hangups, set, hung_up) < 0) {
			log_warnx("master",
				"nobody will notice when a child shuts the "
				"listeners: no descriptor or memory");
			return;
		}
	}
	add_listeners(m);
}
