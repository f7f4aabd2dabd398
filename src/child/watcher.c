/*
 * watcher.c - nobody waits for a worker that is stuck in a request.
 *
 * At each tick the watcher compares the word with that of the last one.  Still
 * the same request: it takes the engine over for a moment.  A tick costs the
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
#include <linux/futex.h>
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/share.h"
#include "child/takeover.h"

enum {
	TICK_MS = 1,
	LONG_TICK_MS = 4,
	ALERT_TICKS = 250, /* short ones, since something was left to us */
	IDLE_TICKS = 100, /* without a request: sleep until there is one */
	CALM_TICKS = 4,   /* likewise: the page says what is the case */
	STACK = 128 * 1024,
};

/* The word: a number that changes with each request, and in the low bits
 * whose the engine is. */
enum { WORKERS = 0, NOBODYS = 1, WATCHERS = 2, WHOSE = 3 };

/* How the watcher rests: for a tick; until a request begins; or for a long tick,
 * which what cannot wait so long cuts short, but where it waits for clients of
 * stuck workers as well. */
enum { TICKS = 0, SLEEPS = 1, DOZES = 2 };

/* One worker. */
struct watch {
	alignas(64) _Atomic uint32_t word;
	uint32_t last; /* the word at the last tick */
	uint32_t took; /* that of the request in which it was stuck last */
	struct watcher *watcher;
	struct takeover takeover;
};

struct watcher {
	_Atomic uint32_t rest; /* the futex that wakes the watcher */
	_Atomic bool hurry;    /* something was left to the next tick */
	_Atomic bool ending;
	pthread_mutex_t guard; /* of the beginning and the end of the thread */
	atomic_bool started;
	atomic_bool running;
	pthread_t thread;
	struct deprived deprived;
	int alert;     /* ticks that are still to be short */
	bool punctual; /* the kernel wakes us then, and not at its leisure */
	int64_t told_ns;      /* when the master last heard of a stuck worker */
	struct pollfd *stuck; /* the epoll sets of those, in a tick */
	size_t n;
	struct watch watches[];
};

static long
futex(_Atomic uint32_t *word, int what, uint32_t value,
	const struct timespec *timeout)
{
	return syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value,
		timeout, NULL, 0);
}

static void
wake(struct watcher *w)
{
	atomic_store(&w->rest, TICKS);
	futex(&w->rest, FUTEX_WAKE, 1, NULL);
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
		w->takeover.worker = pthread_self();
}

void
watcher_abandon(struct watcher *w)
{
	for (size_t i = 0; w != NULL && i < w->n; i++)
		close(w->watches[i].takeover.epoll);
}

void
watch_begin(struct watch *w)
{
	uint32_t number;

	if (w == NULL)
		return;
	number = atomic_load_explicit(&w->word, memory_order_relaxed) & ~WHOSE;
	atomic_store(&w->word, (number + WHOSE + 1) | NOBODYS);
	if (UNLIKELY(atomic_load(&w->watcher->rest) == SLEEPS))
		wake(w->watcher);
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
watch_wake(struct watch *w)
{
	watch_begin(w);
	watch_end(w);
}

void
watcher_hurry(struct watcher *w)
{
	if (w == NULL || atomic_load_explicit(&w->hurry, memory_order_relaxed))
		return;
	atomic_store(&w->hurry, true);
	if (atomic_load(&w->rest) == DOZES)
		wake(w);
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
	size_t stuck; /* workers; their sets are in watcher.stuck */
	bool calm;    /* nothing is to be done but to wait for clients */
	bool quiet;   /* no worker has begun anything, or is in a request */
};

static void
look_at(struct watcher *w, struct watch *one, struct tick *tick)
{
	uint32_t word = atomic_load(&one->word);

	if (word == one->last && (word & WHOSE) == NOBODYS) {
		take_over(one, word);
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

	for (size_t i = 0; i < w->n; i++)
		look_at(w, &w->watches[i], &tick);
	return tick;
}

/* With the kernel's next clock tick behind the time, which interrupts the worker
 * anyway, or at the time. */
static void
be_punctual(struct watcher *w, bool punctual)
{
	if (w->punctual != punctual)
		(void)prctl(PR_SET_TIMERSLACK,
			punctual ? 0 : LONG_TICK_MS * 1000000UL, 0UL, 0UL, 0UL);
	w->punctual = punctual;
}

static void
wait_for_news(struct watcher *w, int rest, int ms)
{
	struct timespec time = {.tv_nsec = ms * 1000000L};

	futex(&w->rest, FUTEX_WAIT, rest, &time);
}

/* The workers need nobody before a long tick is over. */
static void
doze(struct watcher *w)
{
	atomic_store(&w->rest, DOZES);
	/* What was left to us before anybody could see that. */
	if (!atomic_load(&w->hurry) && !atomic_load(&w->ending))
		wait_for_news(w, DOZES, LONG_TICK_MS);
	atomic_store(&w->rest, TICKS);
}

/* Clients of the stuck workers cut it short. */
static void
wait_for_clients(struct watcher *w, const struct tick *tick, int ms)
{
	(void)poll(w->stuck, tick->stuck, ms);
}

static bool
has_begun(const struct watcher *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (atomic_load(&w->watches[i].word) != w->watches[i].last)
			return true;
	return false;
}

static void
sleep_until_woken(struct watcher *w)
{
	atomic_store(&w->rest, SLEEPS);
	/* A request that has begun before it could see us sleep. */
	if (has_begun(w) || atomic_load(&w->ending))
		atomic_store(&w->rest, TICKS);
	while (atomic_load(&w->rest) == SLEEPS)
		futex(&w->rest, FUTEX_WAIT, SLEEPS, NULL);
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

/* Between ticks.  idle: so many have found nothing. */
static void
rest(struct watcher *w, const struct tick *tick, int idle)
{
	bool deprived = deprived_is_known(&w->deprived);
	bool is_short;

	if (atomic_exchange(&w->hurry, false) || deprived)
		w->alert = ALERT_TICKS;
	is_short = w->alert > 0 || !tick->calm;
	w->alert -= w->alert > 0;
	be_punctual(w,
		is_short || has_responses_under_way(w) || somebody_is_idle(w));
	if (idle > IDLE_TICKS && !deprived)
		sleep_until_woken(w);
	else if (tick->stuck > 0 && tick->calm && !deprived)
		wait_for_clients(w, tick, is_short ? TICK_MS : LONG_TICK_MS);
	else if (is_short)
		wait_for_news(w, TICKS, TICK_MS);
	else
		doze(w);
}

static void *
watch_all(void *arg)
{
	struct watcher *w = arg;
	int idle = 0;

	pthread_setname_np(pthread_self(), "wsgid-watcher");
	w->punctual = true;
	while (!atomic_load(&w->ending)) {
		struct tick tick = look(w);

		idle = tick.quiet ? idle + 1 : 0;
		deprived_look(&w->deprived, w->watches[0].takeover.engine,
			idle >= CALM_TICKS, idle > IDLE_TICKS);
		rest(w, &tick, idle);
	}
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

static void
start_thread(struct watcher *w)
{
	int rc = thread_start_helper(&w->thread, STACK, 0, watch_all, w);

	w->running = rc == 0;
	if (rc == 0)
		return;
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
watcher_stop(struct watcher *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->guard);
	if (w->running) {
		atomic_store(&w->ending, true);
		wake(w);
		pthread_join(w->thread, NULL);
		atomic_store(&w->ending, false);
		w->running = false;
		push_all(w);
		atomic_store(&w->started, false);
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
