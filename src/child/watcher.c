/*
 * watcher.c - nobody waits for a worker that is stuck in a request.
 *
 * It has an alarm, and who begins something puts that off: with each request,
 * but not within a tick of the last time.  So requests that are short cost a
 * system call a tick, and none where it is quiet; and when the alarm goes off, who
 * still is in a request has been in it for a tick, and has its engine taken over
 * for a moment.  While anybody is, the watcher looks at each tick, which costs the
 * worker an interrupt and two context switches, in a virtual machine 30 to 100 us
 * of its time: so it is a millisecond only where somebody waits for the watcher,
 * longer where all it can find is a long request, and may wait for the kernel's own
 * clock tick, which costs nothing more, where nobody is idle who could serve those
 * behind one.
 *
 * What makes the takeover safe: between two waits a DEFER_TASKRUN ring touches no
 * socket, and a wait submits before anything else.  So a connection may be given
 * away although the ring still receives on it, when the cancellation is asked for
 * before the worker can wait again.  Nothing is in the completion queue: the loop
 * empties it before it serves.  What is done then: takeover.c.
 */
#include "child/watcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "child/access_log.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/share.h"
#include "child/takeover.h"

static const int64_t TICK_NS = 1000000;
static const int64_t LONG_TICK_NS = 4000000;
/* Ticks are short, since something was left to us. */
static const int64_t ALERT_NS = 250000000;
/* So often what the application does with our descriptors is looked at. */
static const int64_t LOOK_NS = 1000000000;

enum {
	CALM_TICKS = 4, /* without a request: the page says what is the case */
	STACK = 128 * 1024,
};

/* The word: a number that changes with each request, and in the low bits
 * whose the engine is. */
enum { WORKERS = 0, NOBODYS = 1, WATCHERS = 2, WHOSE = 3 };

/* When the alarm is put off next: not at all, as the watcher looks by itself; when
 * something begins; or likewise, but then it goes off, as the watcher has gone to
 * sleep for good and is to look now and then again. */
static const int64_t NEVER = INT64_MAX, AT_ONCE = 0, ONCE = -1;

/* One worker. */
struct watch {
	alignas(64) _Atomic uint32_t word;
	uint32_t last;            /* the word at the last look */
	_Atomic int64_t begun_ns; /* what it is in */
	uint32_t took; /* the word of the request in which it was stuck last */
	struct watcher *watcher;
	struct takeover takeover;
};

struct watcher {
	struct alarm alarm;
	_Atomic int64_t due_ns;   /* from then on who begins puts it off */
	_Atomic int64_t alert_ns; /* until then ticks are short */
	_Atomic bool called;      /* it is to look, whoever puts the alarm off */
	_Atomic bool ending;
	pthread_mutex_t guard; /* of the beginning and the end of the thread */
	atomic_bool started;
	atomic_bool running; /* and it looks */
	bool has_thread;
	pthread_t thread;
	struct deprived deprived;
	bool punctual; /* the kernel wakes us then, and not at its leisure */
	int64_t told_ns;      /* when the master last heard of a stuck worker */
	struct pollfd *stuck; /* the epoll sets of those, in a tick */
	size_t n;
	struct watch watches[];
};

/* --- the alarm ------------------------------------------------------------------ */

static int64_t
tick_ns(struct watcher *w, int64_t now_ns)
{
	return now_ns < atomic_load(&w->alert_ns) ? TICK_NS : LONG_TICK_NS;
}

static bool
is_in_request(uint32_t word)
{
	return (word & WHOSE) == NOBODYS;
}

/* When the first of the requests began in which workers are; or never. */
static int64_t
first_begun(struct watcher *w)
{
	int64_t first_ns = NEVER;

	for (size_t i = 0; i < w->n; i++) {
		struct watch *one = &w->watches[i];
		int64_t begun_ns = atomic_load(&one->begun_ns);

		if (is_in_request(atomic_load(&one->word)) &&
			begun_ns < first_ns)
			first_ns = begun_ns;
	}
	return first_ns;
}

/* Two ticks after that, or from now: what begins before it is due again is a tick
 * old then. */
static void
arm(struct watcher *w, int64_t now_ns)
{
	int64_t first_ns = first_begun(w), ns;

	if (first_ns > now_ns)
		first_ns = now_ns;
	do {
		ns = tick_ns(w, now_ns);
		alarm_set(&w->alarm, first_ns + 2 * ns);
	} while (ns != tick_ns(w, now_ns)); /* somebody is in a hurry now */
	if (atomic_load(&w->called))
		alarm_set(&w->alarm, 0);
}

static void
put_off(struct watcher *w, int64_t due_ns, int64_t now_ns)
{
	if (atomic_compare_exchange_strong(
		    &w->due_ns, &due_ns,
		    due_ns == ONCE ? NEVER : now_ns + tick_ns(w, now_ns)))
		arm(w, now_ns);
}

/* --- the worker's side -------------------------------------------------------- */

struct watch *
watcher_watch(struct watcher *w, size_t i)
{
	return w != NULL ? &w->watches[i] : NULL;
}

int
watcher_epoll(const struct watcher *w, size_t i)
{
	return w->watches[i].takeover.epoll;
}

void
watch_me(struct watch *w)
{
	if (w != NULL)
		w->takeover.worker = gettid();
}

void
watcher_abandon(struct watcher *w)
{
	for (size_t i = 0; w != NULL && i < w->n; i++)
		close(w->watches[i].takeover.epoll);
}

void
watch_begin(struct watch *w, int64_t now_ns)
{
	uint32_t number;
	int64_t due_ns;

	if (w == NULL)
		return;
	number = atomic_load_explicit(&w->word, memory_order_relaxed) & ~WHOSE;
	atomic_store_explicit(&w->begun_ns, now_ns, memory_order_relaxed);
	atomic_store(&w->word, (number + WHOSE + 1) | NOBODYS);
	/* Whoever is about to wait for the alarm sees the word, or we see that
	 * it does. */
	due_ns = atomic_load(&w->watcher->due_ns);
	if (UNLIKELY(now_ns >= due_ns))
		put_off(w->watcher, due_ns, now_ns);
}

void
watch_end(struct watch *w)
{
	uint32_t word;

	if (w == NULL)
		return;
	for (;;) {
		word = (atomic_load_explicit(&w->word, memory_order_relaxed) &
			       ~WHOSE) |
		       NOBODYS;
		if (LIKELY(atomic_compare_exchange_weak(
			    &w->word, &word, word & ~WHOSE)))
			return;
		/* The watcher has it, for some microseconds. */
		sched_yield();
	}
}

void
watcher_hurry(struct watcher *w, int64_t now_ns)
{
	if (w == NULL || now_ns + ALERT_NS / 2 < atomic_load(&w->alert_ns))
		return;
	atomic_store(&w->alert_ns, now_ns + ALERT_NS);
	alarm_set(&w->alarm, now_ns + 2 * TICK_NS);
}

void
watch_forget(struct watch *w, struct connection *c)
{
	if (w != NULL)
		takeover_forget(&w->takeover, c);
}

/* --- the watcher's side: whose it is --------------------------------------------- */

/* Take the engine if the worker still is in the request of that word. */
static bool
acquire(struct watch *w, uint32_t word)
{
	return atomic_compare_exchange_strong(
		&w->word, &word, (word & ~WHOSE) | WATCHERS);
}

/* The worker is stuck: look after its connections. */
static void
take_over(struct watch *w, uint32_t word)
{
	w->takeover.calm = true;
	w->takeover.listens = false;
	if (!acquire(w, word))
		return;
	if (w->took != word) {
		w->took = word;
		takeover_begin(&w->takeover);
	}
	takeover_look(&w->takeover);
	atomic_store(&w->word, word);
}

struct tick {
	size_t old;   /* workers that have been in a request for a tick */
	size_t stuck; /* those whose clients are waited for: watcher.stuck */
	bool calm;    /* nothing is to be done but to wait for clients */
	bool quiet;   /* no worker has begun anything, or is in a request */
};

static void
look_at(struct watcher *w, struct watch *one, int64_t now_ns, struct tick *tick)
{
	uint32_t word = atomic_load(&one->word);
	int64_t age_ns = now_ns - atomic_load(&one->begun_ns);

	if (is_in_request(word) && age_ns >= tick_ns(w, now_ns)) {
		take_over(one, word);
		tick->old++;
		tick->calm &= one->takeover.calm;
		/* Who can be helped by nobody is not listened to: the wait would
		 * end at once, again and again. */
		if (one->takeover.listens)
			w->stuck[tick->stuck++] = (struct pollfd){
				.fd = one->takeover.epoll, .events = POLLIN};
	}
	if (word != one->last || (word & WHOSE) != WORKERS)
		tick->quiet = false;
	one->last = word;
}

static struct tick
look(struct watcher *w)
{
	struct tick tick = {.calm = true, .quiet = true};
	int64_t now_ns = clock_monotonic_ns();

	for (size_t i = 0; i < w->n; i++)
		look_at(w, &w->watches[i], now_ns, &tick);
	return tick;
}

/* With the kernel's next clock tick behind the time, which interrupts the worker
 * anyway, or at the time. */
static void
be_punctual(struct watcher *w, bool punctual)
{
	if (w->punctual != punctual)
		(void)prctl(PR_SET_TIMERSLACK,
			punctual ? 0 : (unsigned long)LONG_TICK_NS, 0UL, 0UL, 0UL);
	w->punctual = punctual;
}

static bool
has_begun(const struct watcher *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (atomic_load(&w->watches[i].word) != w->watches[i].last)
			return true;
	return false;
}

/* What begins from now on sets the alarm; here what has begun before. */
static void
await_alarm(struct watcher *w, bool quiet)
{
	int64_t now_ns = clock_monotonic_ns();
	bool served = first_begun(w) != NEVER;

	be_punctual(w, true);
	atomic_store(&w->due_ns, served ? now_ns + tick_ns(w, now_ns)
				 : quiet ? ONCE : AT_ONCE);
	if (served || has_begun(w)) {
		arm(w, now_ns);
		quiet = false;
	}
	alarm_wait(quiet ? -1 : LOOK_NS);
	atomic_store(&w->due_ns, NEVER);
}

/* One of two workers does not lead, and sees whether the leader waits. */
static bool
somebody_is_idle(const struct watcher *w)
{
	return share_has_idle(w->watches[0].takeover.engine) ||
	       share_has_idle(w->watches[w->n - 1].takeover.engine);
}

/* The watcher goes on with those of a stuck worker. */
static bool
has_responses_under_way(const struct watcher *w)
{
	const struct wsgid_page *page =
		w->watches[0].takeover.engine->set.page->page;

	return __atomic_load_n(&page->writing, __ATOMIC_RELAXED) > 0;
}

/* While somebody is in a long request; what is left to us cuts it short, but not
 * where clients of stuck workers do. */
static void
rest(struct watcher *w, const struct tick *tick, int64_t ns)
{
	be_punctual(w,
		ns == TICK_NS || has_responses_under_way(w) ||
			somebody_is_idle(w));
	if (tick->stuck > 0 && tick->calm)
		(void)poll(w->stuck, tick->stuck, (int)(ns / 1000000));
	else
		alarm_wait(ns);
}

/* Between looks. */
static void
pause_after(struct watcher *w, const struct tick *tick)
{
	struct tick alone = {0};

	if (deprived_is_known(&w->deprived))
		rest(w, &alone, TICK_NS);
	else if (tick->old > 0)
		rest(w, tick,
			tick->calm ? tick_ns(w, clock_monotonic_ns()) : TICK_NS);
	else
		await_alarm(w, tick->quiet);
}

/* Of the requests before those that take long. */
static void
flush_access_log(const struct watcher *w)
{
	access_log_flush_at_once(
		w->watches[0].takeover.engine->set.access_log);
}

static void
look_after_all(struct watcher *w)
{
	int idle = 0;

	for (;;) {
		struct tick tick;

		atomic_store(&w->called, false);
		if (atomic_load(&w->ending))
			return;
		tick = look(w);
		if (tick.old > 0)
			flush_access_log(w);
		idle = tick.quiet ? idle + 1 : 0;
		deprived_look(&w->deprived, w->watches[0].takeover.engine,
			idle >= CALM_TICKS, tick.quiet);
		pause_after(w, &tick);
	}
}

/* What was kept for us to send. */
static void
push_all(struct watcher *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct watch *one = &w->watches[i];
		uint32_t word = atomic_load(&one->word);

		if ((word & WHOSE) != NOBODYS || !acquire(one, word))
			continue;
		takeover_push_own(one->takeover.engine);
		atomic_store(&one->word, word);
	}
}

static void *
watch_all(void *arg)
{
	struct watcher *w = arg;
	struct err err = {0};

	pthread_setname_np(pthread_self(), "wsgid-watcher");
	w->punctual = true;
	if (alarm_open(&w->alarm, &err) < 0) {
		w->running = false;
		push_all(w);
		log_warnx("child", "no timer to watch long requests with: %s",
			err.text);
		return NULL;
	}
	look_after_all(w);
	alarm_close(&w->alarm);
	return NULL;
}

/* --- beginning and end ------------------------------------------------------------- */

int
watcher_create(struct watcher **ret, struct engine *const *engines, size_t n,
	struct err *err)
{
	struct watcher *w = aligned_alloc(
		alignof(struct watch), sizeof(*w) + n * sizeof(struct watch));

	if (w == NULL)
		return err_set(err, ENOMEM, "watcher");
	memset(w, 0, sizeof(*w) + n * sizeof(struct watch));
	w->deprived.fd = -1;
	w->due_ns = NEVER;
	pthread_mutex_init(&w->guard, NULL);
	w->stuck = calloc(n, sizeof(*w->stuck));
	if (w->stuck == NULL) {
		free(w);
		return err_set(err, ENOMEM, "watcher");
	}
	for (; w->n < n; w->n++) {
		struct watch *one = &w->watches[w->n];

		one->watcher = w;
		one->takeover = (struct takeover){.engine = engines[w->n],
			.epoll = epoll_create1(EPOLL_CLOEXEC),
			.told_ns = &w->told_ns};
		if (one->takeover.epoll < 0) {
			int rc = err_set(err, errno, "watcher");

			watcher_destroy(w);
			return rc;
		}
	}
	*ret = w;
	return 0;
}

static void
start_thread(struct watcher *w)
{
	int rc;

	w->running = true;
	rc = thread_start_helper(&w->thread, STACK, 0, watch_all, w);
	w->has_thread = rc == 0;
	if (rc == 0)
		return;
	w->running = false;
	errno = -rc;
	log_warn("child", "no thread to watch long requests with");
}

bool
watcher_failed(const struct watcher *w)
{
	return w != NULL && w->started && !w->running;
}

bool
watcher_is_away(const struct watcher *w)
{
	return w != NULL && !w->running;
}

void
watcher_start(struct watcher *w)
{
	if (w == NULL ||
		LIKELY(atomic_load_explicit(&w->started, memory_order_relaxed)))
		return;
	pthread_mutex_lock(&w->guard);
	/* One try: without a watcher it works, too. */
	if (!atomic_exchange(&w->started, true))
		start_thread(w);
	pthread_mutex_unlock(&w->guard);
}

void
watcher_call(struct watcher *w)
{
	if (w == NULL)
		return;
	atomic_store(&w->called, true);
	alarm_set(&w->alarm, 0);
}

void
watcher_stop(struct watcher *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->guard);
	if (w->has_thread) {
		atomic_store(&w->ending, true);
		watcher_call(w);
		pthread_join(w->thread, NULL);
		atomic_store(&w->ending, false);
		w->has_thread = false;
		/* Who got no timer gets none next time. */
		if (atomic_exchange(&w->running, false)) {
			push_all(w);
			atomic_store(&w->started, false);
		}
	}
	pthread_mutex_unlock(&w->guard);
}

void
watcher_destroy(struct watcher *w)
{
	if (w == NULL)
		return;
	watcher_stop(w);
	for (size_t i = 0; i < w->n; i++)
		close(w->watches[i].takeover.epoll);
	free(w->stuck);
	free(w);
}
