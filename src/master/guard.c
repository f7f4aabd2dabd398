/*
 * guard.c - noticing that a child has broken what all of them share.
 *
 * A child has to hold the listeners, the set of them that it waits on, and the
 * pool's socket; and shutdown(2) and epoll_ctl(2) work on the thing itself,
 * whoever else holds it.  So an application that turns on its server could have
 * everybody refused, or have nobody woken for a client, until a restart.
 *
 * A shut socket hangs up, which the master waits for.  What is in a set, and
 * what options a socket has, the kernel tells those who ask, so the master asks
 * now and then.  A TCP listener
 * can listen again, and what was taken out of a set be put back: then the
 * children go on with it.  What cannot be mended is made anew: renew.c.
 *
 * When the master shuts its listeners itself it is stopping, and nobody looks.
 */
#include "master/guard.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "config/config.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/master_priv.h"
#include "master/renew.h"
#include "master/state.h"
#include "master/upgrade.h"
#include "net/listen.h"

enum {
	QUIET_S = 10,   /* between two lines of the log */
	LOOK_MS = 1000, /* between two looks at sets and options */
	RENEW_S = 10,   /* between two renewals: whoever breaks things all the
	                * time shall not have children start all the time */
};

static bool
may_say(struct master *m)
{
	if (m->now_ns < m->guard.quiet_until_ns)
		return false;
	m->guard.quiet_until_ns = m->now_ns + QUIET_S * SECOND_NS;
	return true;
}

/* --- what hangs up ---------------------------------------------------------------- */

static void
look_at_listener(struct master *m, size_t i)
{
	const struct listener *l = &m->now->listeners[i];
	int rc = listen_again(l, (int)m->now->config->listen_backlog);

	if (rc == -ESHUTDOWN) {
		m->guard.broken |= GUARD_LISTENERS;
		return;
	}
	if (rc == 0 || !may_say(m))
		return;
	if (rc > 0)
		log_errorx("master",
			"Listen %s: a child has shut this socket, as only the "
			"application could; it listens again",
			m->now->asked[i]);
	else
		log_errorx("master",
			"Listen %s: a child has shut this socket, as only the "
			"application could, and it cannot listen again: %s; "
			"restart the server",
			m->now->asked[i], strerror(-rc));
}

static void
look_at_pool(struct master *m)
{
	struct pollfd p = {.fd = m->pool_take, .events = POLLRDHUP};

	if (poll(&p, 1, 0) > 0)
		m->guard.broken |= GUARD_POOL;
}

static void
hung_up(struct master *m, struct source *s)
{
	struct epoll_event event;

	while (epoll_wait(s->fd, &event, 1, 0) > 0)
		continue;
	if (m->phase != PHASE_RUNNING)
		return;
	for (size_t i = 0; i < m->now->n_listeners; i++)
		look_at_listener(m, i);
	look_at_pool(m);
}

/* A hang-up is reported without being asked for; once, for each that comes. */
static void
add(const struct guard *g, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLET};

	(void)epoll_ctl(g->hangups.fd, EPOLL_CTL_ADD, fd, &event);
}

static void
wait_for_hangups(struct master *m)
{
	struct guard *g = &m->guard;
	int set;

	if (g->generation == m->now->number)
		return;
	g->generation = m->now->number;
	set = g->hangups.fd < 0 ? epoll_create1(EPOLL_CLOEXEC) : -1;
	if (g->hangups.fd < 0 &&
		(set < 0 || master_watch(m, &g->hangups, set, hung_up) < 0)) {
		log_warnx("master", "nobody will notice when a child shuts the "
				    "listeners: no descriptor or memory");
		return;
	}
	for (size_t i = 0; i < m->now->n_listeners; i++)
		add(g, m->now->listeners[i].fd, 0);
	add(g, m->pool_take, EPOLLRDHUP);
}

/* --- what is in the sets ------------------------------------------------------------ */

static void
look_at_sets(struct master *m)
{
	int rc = generation_has_sets(m->now) ? generation_mend_sets(m->now) : 0;

	if (rc == -EUCLEAN)
		m->guard.broken |= GUARD_SETS;
	else if (rc > 0 && may_say(m))
		log_errorx("master",
			"the set of the listeners: a child has changed it, as "
			"only the application could; it is mended");
}

/* --- what nobody can connect to any more ---------------------------------------------- */

static void
look_at_options(struct master *m)
{
	for (size_t i = 0; i < m->now->n_listeners; i++)
		if (listen_restore(&m->now->listeners[i],
			    (int)m->now->config->listen_backlog) &&
			may_say(m))
			log_errorx("master",
				"Listen %s: a child has made this socket deaf, "
				"as only the application could; it hears again",
				m->now->asked[i]);
}

/* --- every turn ----------------------------------------------------------------------- */

static bool
may_renew(const struct master *m)
{
	return m->now_ns >= m->guard.renew_ns && m->next == NULL &&
	       !upgrade_running(m) && !heir_waits(m);
}

void
guard_turn(struct master *m)
{
	struct guard *g = &m->guard;

	if (m->phase != PHASE_RUNNING)
		return;
	wait_for_hangups(m);
	if (m->now_ns >= g->look_ns) {
		g->look_ns = m->now_ns + LOOK_MS * MS_NS;
		look_at_options(m);
		look_at_sets(m);
	}
	if (g->broken == 0 || !may_renew(m))
		return;
	g->renew_ns = m->now_ns + RENEW_S * SECOND_NS;
	renew_shared(m, g->broken);
	g->broken = 0;
	g->generation = 0; /* look at them anew */
}

int64_t
guard_deadline(const struct master *m)
{
	int64_t next = NEVER;

	/* Sets are more than one listener; for one nobody is waked. */
	if (generation_has_sets(m->now))
		next = m->guard.look_ns;
	if (m->guard.broken != 0 && m->guard.renew_ns < next)
		next = m->guard.renew_ns > m->now_ns ? m->guard.renew_ns
						     : m->now_ns + SECOND_NS;
	return next;
}
