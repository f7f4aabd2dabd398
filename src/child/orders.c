/*
 * orders.c - what a child is told to do.  See orders.h.
 */
#include "child/orders.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "child/accept.h"
#include "child/access_log.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/handover.h"
#include "child/orphan.h"
#include "child/report.h"
#include "io/io.h"
#include "lock/accept_mutex.h"
#include "net/channel.h"

static void
start_retiring(struct engine *e, bool finishing)
{
	e->retiring = true;
	e->finishing = finishing || e->set.give < 0;
	if (e->running == NULL)
		report_state(e, WSGID_WORKER_IDLE_KILL);
	accept_disarm(e);
	if (!e->finishing) {
		handover_unwatch(e);
		handover_give_waiting(e, &e->parked);
		handover_give_waiting(e, &e->reading);
		return;
	}
	connection_await_last_all(e, &e->parked);
	connection_await_last_all(e, &e->reading);
}

/* Orders only get stricter, and so does the time. */
static void
obey(struct engine *e, enum crew_order what, int64_t leave_by_ns)
{
	if (leave_by_ns > 0 &&
		(e->leave_by_ns == 0 || leave_by_ns < e->leave_by_ns))
		e->leave_by_ns = leave_by_ns;
	if ((int)what <= e->obeyed)
		return;
	e->obeyed = (int)what;
	if (what == CREW_STOP)
		e->stopping = true;
	else
		start_retiring(e, what == CREW_FINISH);
}

void
orders_give(struct engine *e, enum crew_order what, int64_t deadline_ms)
{
	int64_t leave_by_ns =
		deadline_ms > 0 ? e->now_ns + deadline_ms * MS_NS : 0;

	if (e->set.crew != NULL)
		crew_tell(e->set.crew, what, leave_by_ns);
	obey(e, what, leave_by_ns);
}

void
orders_obey(struct engine *e)
{
	int64_t leave_by_ns;
	enum crew_order what;

	if (e->set.crew == NULL)
		return;
	what = crew_order(e->set.crew, &leave_by_ns);
	obey(e, what, leave_by_ns);
}

static void
finish(struct engine *e)
{
	orders_give(e, CREW_FINISH, e->config->graceful_shutdown_timeout);
}

static void
take_order(struct engine *e, struct channel_message *m)
{
	switch (m->kind) {
	case CHANNEL_RETIRE:
		orders_give(e, CREW_RETIRE, m->deadline_ms);
		break;
	case CHANNEL_FINISH:
		orders_give(e, CREW_FINISH, m->deadline_ms);
		break;
	case CHANNEL_STOP:
		orders_give(e, CREW_STOP, 0);
		break;
	case CHANNEL_LOGS:
		access_log_replace(e->set.access_log, m->fds, m->n_fds);
		m->n_fds = 0;
		(void)channel_send(
			e->set.channel, CHANNEL_HAS_LOGS, 0, NULL, NULL, 0);
		break;
	case CHANNEL_LOG_LEVEL:
		if (log_level_of(m->text) >= 0)
			log_set_level((enum log_level)log_level_of(m->text));
		break;
	case CHANNEL_SHOW_FAILURE:
		strcpy(e->failure, m->text);
		break;
	default:
		log_warnx("child", "the master sent order %u, unknown here",
			m->kind);
	}
	for (size_t i = 0; i < m->n_fds; i++)
		close(m->fds[i]);
}

/* The master is heard by one worker, which tells the others: by who leads, or
 * while nobody does by those that wait for their clients. */
static bool
is_for_us(const struct engine *e)
{
	return engine_leads(e) ||
	       (e->running != NULL && !crew_is_led(e->set.crew));
}

void
orders_watch(struct engine *e)
{
	if (!is_for_us(e))
		return;
	if (!e->channel_watched && !e->channel_ended) {
		e->channel_watched = true;
		io_poll(e->io, &e->channel_owner, e->set.channel);
	}
	/* Once: it stays readable, for whoever leads next. */
	if (!e->sigterm_watched && e->set.sigterm > 0) {
		e->sigterm_watched = true;
		io_poll(e->io, &e->sigterm_owner, e->set.sigterm);
	}
}

void
orders_say_leaving(const struct engine *e)
{
	if (!deprived_of_master(e))
		(void)channel_send(
			e->set.channel, CHANNEL_LEAVES, 0, NULL, NULL, 0);
}

void
orders_hear_sigterm(struct engine *e)
{
	if (e->retiring)
		return;
	orders_say_leaving(e);
	finish(e);
}

void
orders_hear(struct engine *e)
{
	struct channel_message message;
	int rc;

	while ((rc = channel_receive(e->set.channel, &message)) == 1)
		take_order(e, &message);
	if (rc == 0 && !e->retiring) {
		log_warnx("child", "the master is gone; finishing and leaving");
		orphan_begin();
		if (e->set.mutex != NULL)
			accept_mutex_orphan(e->set.mutex);
		finish(e);
	}
	e->channel_ended = rc == 0 || rc == -EBADF || rc == -ENOTSOCK;
	if (rc == -EBADF || rc == -ENOTSOCK)
		deprived_leave(e, rc);
}
