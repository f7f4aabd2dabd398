/*
 * workers.c - the workers of a child.  See workers.h.
 *
 * One worker alone has no crew.  It has a watcher, even if it is the only one
 * of the server: while a reload replaces it, it is not.
 */
#include "child/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "child/clients.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/descriptors.h"
#include "child/forking.h"
#include "child/orders.h"
#include "child/pulse.h"
#include "child/recycle.h"
#include "child/report.h"
#include "child/sigterm.h"
#include "child/tracebacks.h"
#include "child/watcher.h"
#include "lock/accept_mutex.h"
#include "lock/locker.h"

struct worker {
	struct engine engine;
	pthread_t thread;
	bool running; /* as a thread of its own */
	int result;   /* of engine_run */
};

struct workers {
	struct engine_settings common;
	struct crew *crew;
	struct watcher *watcher;
	struct clients *clients;
	struct descriptors *descriptors;
	struct recycle recycle;
	struct pulse *pulse; /* both, and tracebacks.h, with common.forking */
	bool serving;
	size_t n;
	struct worker each[];
};

/* --- beginning and end ---------------------------------------------------------- */

static int
make_watcher(struct workers *w, struct err *err)
{
	struct engine **engines = calloc(w->n, sizeof(struct engine *));
	int rc;

	if (engines == NULL)
		return err_set(err, ENOMEM, "workers");
	for (size_t i = 0; i < w->n; i++)
		engines[i] = &w->each[i].engine;
	rc = watcher_create(&w->watcher, engines, w->n, err);
	free(engines);
	return rc;
}

static int
make_common(struct workers *w, struct err *err)
{
	int rc = clients_create(
		&w->clients, w->common.listeners, w->common.n_listeners, err);

	w->common.most_requests = recycle_most_requests(w->common.config);
	if (recycle_begin(&w->recycle, w->common.config, clock_monotonic_ns(),
		    w->common.slot == 0))
		w->common.recycle = &w->recycle;
	w->common.sigterm = sigterm_open();
	if (rc == 0 && w->common.sigterm < 0)
		rc = err_set(err, -w->common.sigterm, "workers");
	if (rc == 0 && w->n > 1)
		rc = crew_create(&w->crew, w->n, err);
	if (rc == 0)
		rc = make_watcher(w, err);
	if (rc == 0 && w->common.mutex != NULL)
		rc = locker_create(&w->common.locker, w->common.mutex, err);
	w->common.clients = w->clients;
	w->common.crew = w->crew;
	w->common.watcher = w->watcher;
	return rc;
}

/* Those that the application might take from us unnoticed. */
static int
remember_descriptors(struct workers *w, struct io *const *ios, struct err *err)
{
	enum { OTHERS = 6 };
	const struct engine_settings *set = &w->common;
	struct descriptors *d;
	int rc = descriptors_create(
		&w->descriptors, OTHERS + set->n_listeners + 3 * w->n, err);

	if (rc < 0)
		return rc;
	d = w->descriptors;
	descriptors_add(d, set->channel);
	descriptors_add(d, set->set);
	descriptors_add(d, set->give);
	descriptors_add(d, set->take);
	descriptors_add(d, set->sigterm);
	if (set->locker != NULL)
		descriptors_add(d, locker_fd(set->locker));
	for (size_t i = 0; i < set->n_listeners; i++)
		descriptors_add(d, set->listeners[i]);
	for (size_t i = 0; i < w->n; i++) {
		descriptors_add(d, io_fd(ios[i]));
		descriptors_add(d, watcher_epoll(w->watcher, i));
		if (w->crew != NULL)
			descriptors_add(d, crew_bell(w->crew, i));
	}
	w->common.descriptors = d;
	return 0;
}

/* Where several wait for one client all but one find nobody, and accept4(2) has
 * no flag for not waiting. */
static int
unblock_listeners(const struct engine_settings *settings, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < settings->n_listeners; i++)
		rc = fd_set_nonblock(settings->listeners[i], true);
	return rc < 0 ? err_set(err, -rc, "listeners") : 0;
}

int
workers_create(struct workers **ret, const struct engine_settings *settings,
	struct io *const *ios, size_t n, struct err *err)
{
	struct workers *w = aligned_alloc(
		alignof(struct worker), sizeof(*w) + n * sizeof(struct worker));
	int rc;

	if (w == NULL)
		return err_set(err, ENOMEM, "workers");
	memset(w, 0, sizeof(*w) + n * sizeof(struct worker));
	w->common = *settings;
	w->n = n;
	rc = unblock_listeners(settings, err);
	if (rc == 0)
		rc = make_common(w, err);
	if (rc == 0)
		rc = remember_descriptors(w, ios, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct engine_settings own = w->common;

		own.worker = i;
		own.io = ios[i];
		own.watch = watcher_watch(w->watcher, i);
		rc = engine_init(&w->each[i].engine, &own);
		if (rc < 0)
			(void)err_set(err, -rc, "workers");
	}
	if (rc < 0)
		workers_destroy(w);
	else
		*ret = w;
	return rc;
}

void
workers_destroy(struct workers *w)
{
	if (w == NULL)
		return;
	if (w->common.sigterm > 0)
		sigterm_close(w->common.sigterm);
	locker_destroy(w->common.locker);
	watcher_destroy(w->watcher);
	for (size_t i = 0; i < w->n; i++)
		engine_fini(&w->each[i].engine);
	crew_destroy(w->crew);
	clients_destroy(w->clients);
	descriptors_destroy(w->descriptors);
	free(w);
}

/* --- the other threads ------------------------------------------------------------- */

static void *
work(void *arg)
{
	struct worker *me = arg;
	struct app *app = me->engine.set.app;
	char name[32];

	pthread_setname_np(pthread_self(), "wsgid-worker");
	snprintf(name, sizeof(name), "wsgid-worker-%zu",
		me->engine.set.worker + 1);
	app_enter(app);
	app_become_worker(app, name);
	me->result = engine_run(&me->engine);
	app_forget_thread(app);
	return NULL;
}

/* Why there is no such thread: the kernel's answer is the same for both. */
static int
explain(const struct workers *w, size_t number, size_t stack, int error,
	struct err *err)
{
	void *memory = mmap(
		NULL, stack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return err_set(err, error,
			"thread %zu of ThreadsPerChild %zu: there is no memory "
			"for its stack of %zu bytes; set a smaller "
			"ThreadStackSize, fewer threads, or more memory",
			number, w->n, stack);
	(void)munmap(memory, stack);
	return err_set(err, error,
		"thread %zu of ThreadsPerChild %zu: this user may not have so "
		"many processes and threads; raise that limit (ulimit -u, "
		"TasksMax=, pids.max) or set fewer threads",
		number, w->n);
}

/* Open to all signals, as the first: what the application starts from a thread
 * inherits the thread's mask, and must be able to be ended. */
static int
start_threads(struct workers *w, struct err *err)
{
	size_t stack = (size_t)w->common.config->thread_stack_size;
	pthread_attr_t attributes;
	int rc = 0;

	pthread_attr_init(&attributes);
	if (stack > 0)
		rc = pthread_attr_setstacksize(&attributes, stack);
	if (rc != 0) {
		pthread_attr_destroy(&attributes);
		return err_set(err, rc, "ThreadStackSize %zu", stack);
	}
	(void)pthread_attr_getstacksize(&attributes, &stack);
	for (size_t i = 1; rc == 0 && i < w->n; i++) {
		rc = pthread_create(
			&w->each[i].thread, &attributes, work, &w->each[i]);
		w->each[i].running = rc == 0;
		if (rc != 0)
			rc = explain(w, i + 1, stack, rc, err);
	}
	pthread_attr_destroy(&attributes);
	return rc;
}

/* They need the GIL to come to their end. */
static void
join_threads(struct workers *w)
{
	app_leave(w->common.app);
	for (size_t i = 1; i < w->n; i++)
		if (w->each[i].running)
			pthread_join(w->each[i].thread, NULL);
	app_enter(w->common.app);
}

/* --- serving ------------------------------------------------------------------------- */

/* Connections that are left without a request are no loss. */
static int
say_what_was_cut(const struct workers *w)
{
	unsigned cut = 0;

	for (size_t i = 0; i < w->n; i++)
		cut += engine_cut(&w->each[i].engine);
	report_cut(&w->each[0].engine, cut);
	return cut > 0;
}

/* The GIL is given up meanwhile. */
static void
stop_helpers(struct workers *w)
{
	struct pulse *pulse = w->pulse;

	w->pulse = NULL;
	pulse_stop(pulse);
	tracebacks_pause();
}

static void
start_helpers(struct workers *w)
{
	int64_t timeout_ms = w->common.config->deadlock_timeout;

	if (!w->serving)
		return;
	tracebacks_start(w->common.app);
	if (timeout_ms > 0 && w->pulse == NULL)
		w->pulse = pulse_start(w->common.app, timeout_ms,
			w->common.page->page);
}

/* Afterwards descriptors are closed, which the watcher looks at. */
static void
set_serving(struct workers *w, bool on)
{
	forking_lock(w->common.forking, w->common.app);
	w->serving = on;
	if (on) {
		start_helpers(w);
	} else {
		stop_helpers(w);
		tracebacks_forget();
		watcher_stop(w->watcher);
	}
	forking_unlock(w->common.forking);
}

int
workers_start(struct workers *w, struct err *err)
{
	int rc = w->n > 1 ? start_threads(w, err) : 0;

	if (rc < 0) {
		crew_tell(w->crew, CREW_STOP, 0);
		join_threads(w);
		set_serving(w, false);
	}
	return rc;
}

int
workers_serve(struct workers *w, struct err *err)
{
	set_serving(w, true);
	w->each[0].result = engine_run(&w->each[0].engine);
	if (w->n > 1)
		join_threads(w);
	set_serving(w, false);
	deprived_leave_python(&w->each[0].engine);
	for (size_t i = 0; i < w->n; i++) {
		const struct engine *e = &w->each[i].engine;
		int result = w->each[i].result;

		if (result < 0 && result != -ETIMEDOUT)
			return err_set(err, -result, "%s", io_name(e->io));
	}
	orders_say_leaving(&w->each[0].engine);
	/* Who leaves at once by order has none to finish. */
	return w->each[0].engine.stopping ? 0 : say_what_was_cut(w);
}

/* --- forks by the application --------------------------------------------------------- */

void
workers_before_fork(struct workers *w)
{
	if (w == NULL)
		return;
	stop_helpers(w);
	watcher_stop(w->watcher);
	if (w->common.locker != NULL)
		locker_pause(w->common.locker);
}

void
workers_after_fork(struct workers *w)
{
	if (w != NULL && w->common.locker != NULL)
		(void)locker_resume(w->common.locker);
}

void
workers_start_helpers(struct workers *w)
{
	if (w == NULL)
		return;
	start_helpers(w);
	if (w->serving)
		watcher_start(w->watcher);
}

void
workers_abandon(struct workers *w)
{
	if (w == NULL)
		return;
	tracebacks_forget();
	sigterm_close(w->common.sigterm);
	clients_abandon(w->clients);
	crew_abandon(w->crew);
	watcher_abandon(w->watcher);
	locker_destroy(w->common.locker);
}
