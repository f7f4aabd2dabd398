/*
 * deprived.c - how a child leaves that lacks a descriptor of the server.  See
 * deprived.h.
 */
#include "child/deprived.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exits.h"
#include "base/log.h"
#include "child/access_log.h"
#include "child/descriptors.h"
#include "child/engine.h"
#include "child/orders.h"
#include "child/report.h"
#include "child/watcher.h"
#include "io/io.h"
#include "net/handoff.h"

enum { LOOK_NS = 1000000000 };

bool
deprived_of_master(const struct engine *e)
{
	return descriptors_is_lost(e->set.descriptors, e->set.channel);
}

/* With several workers one of them might not hear the answer, and the others would
 * wait for it: they end by the watcher alone. */
static void
ask_to_leave(struct engine *e)
{
	if (e->set.crew == NULL && !deprived_of_master(e))
		(void)engine_ask_to_retire(e, CHANNEL_WANTS_RETIRE,
			"the application has closed the server's descriptors");
}

void
deprived_end(const struct engine *e)
{
	report_cut(e, report_unfinished(e));
	_exit(CHILD_EXIT_DEPRIVED);
}

/* Nor would the master see the end of the channel, as long as a ring has it. */
void
deprived_leave_python(const struct engine *e)
{
	if (deprived_of_master(e))
		_exit(CHILD_EXIT_DEPRIVED);
}

/* --- a worker has met it ------------------------------------------------------- */

/* Between requests it may sleep.  Of several workers it alone can end all. */
static void
wake_watcher(struct engine *e)
{
	watcher_start(e->set.watcher);
	watcher_call(e->set.watcher);
	if (e->set.crew != NULL && watcher_is_away(e->set.watcher))
		deprived_end(e);
}

void
deprived_leave(struct engine *e, int error)
{
	if (e->deprived)
		return;
	e->deprived = true;
	errno = -error;
	log_error(
		"child", "has the application closed our descriptors? leaving");
	/* Somebody may have waked us and nobody else. */
	if (e->set.give >= 0 &&
		!descriptors_is_lost(e->set.descriptors, e->set.give))
		(void)handoff_nudge(e->set.give);
	ask_to_leave(e);
	wake_watcher(e);
	/* A master that nobody can hear replaces nobody: a request that takes
	 * long must not be waited for.  Else we go on until we are replaced, or
	 * where that cannot be the watcher ends it. */
	if (e->set.crew != NULL || !deprived_of_master(e))
		return;
	report_cut(e, report_unfinished(e));
	orders_give(e, CREW_STOP, 0);
}

/* --- the watcher looks ----------------------------------------------------------- */

static void
find(struct deprived *d, struct engine *e)
{
	int log = access_log_find_lost(e->set.access_log);

	d->fd = descriptors_find_lost(e->set.descriptors);
	if (d->fd < 0)
		d->fd = log;
	if (d->fd < 0)
		return;
	log_errorx("child",
		"has the application closed our descriptors?  %d is another "
		"one now; leaving",
		d->fd);
	ask_to_leave(e);
}

static bool
somebody_is_served(const struct engine *e)
{
	const struct wsgid_page *page = e->set.page->page;

	return report_unfinished(e) > 0 ||
	       __atomic_load_n(&page->connections, __ATOMIC_RELAXED) >
		       __atomic_load_n(&page->parked, __ATOMIC_RELAXED);
}

/* Who can wait for its replacement: a process's only worker, which hears the
 * master. */
static bool
can_go_on(const struct engine *e)
{
	return e->set.crew == NULL && !deprived_of_master(e) &&
	       io_keeps_files(e->io);
}

void
deprived_look(struct deprived *d, struct engine *e, bool calm, bool asleep)
{
	int64_t now_ns = clock_monotonic_ns();
	bool known = deprived_is_known(d), due = now_ns >= d->due_ns;

	if (!known && (due || asleep))
		find(d, e);
	if (due || (!known && deprived_is_known(d)))
		d->due_ns = now_ns + LOOK_NS;
	if (known && due)
		ask_to_leave(e); /* it may not have been to be heard */
	if (!known || can_go_on(e))
		return;
	if (due || (calm && !somebody_is_served(e)))
		deprived_end(e);
}
