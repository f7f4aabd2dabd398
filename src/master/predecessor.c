/*
 * predecessor.c - the master before us, while it finishes its requests.
 *
 * To whoever stops the server after an upgrade both are one: we are not gone
 * before it is, or a service manager would kill what is left of the service,
 * and the requests with it.  It has a time of its own to finish in; when ours
 * is over first, it is told to end at once.
 */
#include "master/predecessor.h"

#include <signal.h>
#include <sys/pidfd.h>

#include "master/heir.h"
#include "master/heritage.h"
#include "master/master_priv.h"
#include "master/state.h"
#include "master/stop.h"

static void
has_ended(struct master *m, struct source *s)
{
	master_forget(m, s);
}

void
predecessor_watch(struct master *m, pid_t from)
{
	int fd = pidfd_open(from, PIDFD_NONBLOCK);

	m->predecessor.pid = from;
	if (fd >= 0)
		(void)master_watch(m, &m->predecessor.end, fd, has_ended);
}

bool
predecessor_is(const struct master *m, pid_t pid)
{
	pid_t from = heir_waits(m) ? m->heritage->from : m->predecessor.pid;

	return pid > 0 && pid == from;
}

bool
predecessor_lives(const struct master *m)
{
	return m->predecessor.end.fd >= 0;
}

void
predecessor_turn(struct master *m)
{
	struct predecessor *p = &m->predecessor;

	if (m->phase != PHASE_STOPPING || p->end.fd < 0 || p->told ||
		!(m->stop_now || m->stop_by_ns <= m->now_ns))
		return;
	stop_cuts(m);
	p->told = true;
	/* To one that is finishing already it means: now. */
	(void)pidfd_send_signal(p->end.fd, SIGTERM, NULL, 0);
}

int64_t
predecessor_deadline(const struct master *m)
{
	return m->predecessor.end.fd >= 0 && !m->predecessor.told
		       ? m->stop_by_ns
		       : NEVER;
}
