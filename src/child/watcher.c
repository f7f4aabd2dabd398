/*
 * watcher.c - nobody waits for a worker that is stuck in a request.
 *
 * At each tick the watcher compares the word with that of the last one.  Still
 * the same request: it takes the engine over for a moment.  A tick is a
 * millisecond, and longer once requests have been short for a while, or a long
 * one has left nothing to do: it costs a processor an interrupt and two context
 * switches, which are dear in a virtual machine.  What makes the takeover safe:
 * between two waits a DEFER_TASKRUN ring touches no socket, and a wait submits
 * before anything else.  So a connection may be given away although the ring
 * still receives on it, when the cancellation is asked for before the worker
 * can wait again.  Nothing is in the completion queue: the loop empties it
 * before it serves.
 *
 * What is taken over: what there is of the response whose application does
 * something else; connections with bytes that nobody has looked at; and, for as
 * long as it lasts, responses for more of which there is room, and parked
 * connections that become readable.  Wake-ups that the stuck worker's waits have
 * used up are passed on by a nudge in the pool.
 */
#include "child/watcher.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "child/accept.h"
#include "child/balance.h"
#include "child/connection.h"
#include "child/crew.h"
#include "child/deprived.h"
#include "child/engine.h"
#include "child/flush.h"
#include "child/handover.h"
#include "child/hangup.h"
#include "child/report.h"
#include "child/send.h"
#include "child/share.h"
#include "child/unread.h"
#include "io/io.h"
#include "lock/locker.h"
#include "net/channel.h"
#include "net/handoff.h"

enum {
	TICK_MS = 1,
	LONG_TICK_MS = 4,
	ALERT_TICKS = 250, /* nothing was to be done: long from then on */
	IDLE_TICKS = 100, /* without a request: sleep until there is one */
	CALM_TICKS = 4,   /* likewise: the page says what is the case */
	STACK = 128 * 1024,
	PATIENT =
		12, /* ticks: waiting for the GIL is usual, twice 5 ms at most */
	TELL_NS = 50000000, /* the master hears of it that often at most */
	AT_ONCE = 128,      /* connections, before the worker may come back */
	TAKEN_PAUSE = 4,    /* ticks at most between nudges that are taken */
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
	struct watcher *watcher;
	struct engine *engine;
	pthread_t worker;
	int epoll; /* connections of the worker, added when first seen */

	/* In this takeover, that of the request that took is the word of: looks
	 * that found somebody at a door since a sibling was nudged, and the
	 * number of them at which one is again. */
	uint32_t took;
	unsigned looks;   /* in this takeover */
	bool all_watched; /* each connection for what it waits for */
	bool calm;        /* nothing is to be done but to wait for clients */
	unsigned knocks, pause;
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
	int uneventful; /* ticks */
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
	return w->watches[i].epoll;
}

void
watch_me(struct watch *w)
{
	if (w != NULL)
		w->worker = pthread_self();
}

void
watcher_abandon(struct watcher *w)
{
	for (size_t i = 0; w != NULL && i < w->n; i++)
		close(w->watches[i].epoll);
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
	if (c->watched != 0)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	c->watched = 0;
}

/* --- the watcher's side: the engine is ours ------------------------------------ */

/* What io had not begun to send goes out now, as far as the socket takes it. */
static void
send_now(void *arg, void *owner)
{
	struct watch *w = arg;
	struct connection *c = owner;

	w->all_watched = false;
	c->withdrawn = true;
	if (flush_is_due(c))
		(void)flush(w->engine, c);
}

/* The application is in close(), or makes its next piece, and its client need not
 * wait for that.  What is wrong with the client the worker finds out by itself.
 */
static void
push_own(const struct engine *e)
{
	struct connection *c = e->running;

	if (c != NULL && c->error == 0 && c->part < c->n_parts)
		(void)send_push(c);
}

static bool
give_queue(struct watch *w)
{
	struct connection *c, *next;
	bool all = true;

	for (c = w->engine->queue.first; c != NULL; c = next) {
		next = c->next;
		all &= handover_give_now(w->engine, c);
	}
	return all;
}

/* Those of them that have sent the next request already. */
static bool
give_answered(struct watch *w)
{
	struct connection *c, *next;
	bool all = true;

	for (c = w->engine->sending.first; c != NULL; c = next) {
		next = c->next;
		if (connection_is_answered(c) && unread_of(c).len > 0)
			all &= handover_give_now(w->engine, c);
	}
	return all;
}

static bool
may_leave(const struct connection *c)
{
	return (c->state == CONNECTION_PARKED && !c->hung_up) ||
	       c->state == CONNECTION_READING ||
	       c->state == CONNECTION_COLLECTING || connection_is_answered(c);
}

/* What it must be ready for so that we can do something for it. */
static uint32_t
awaited_of(const struct connection *c)
{
	if (flush_is_due(c))
		return EPOLLOUT;
	return may_leave(c) ? EPOLLIN | EPOLLRDHUP : 0;
}

static bool
look_for(struct watch *w, struct connection *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};
	int how = c->watched != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == 0)
		watch_forget(w, c);
	else if (epoll_ctl(w->epoll, how, c->fd, &event) == 0)
		c->watched = events;
	return c->watched == events;
}

/* Have some more of a list's connections watched; true when all are. */
static bool
add(struct watch *w, struct connection_list *list, int *left)
{
	bool all = true;

	for (struct connection *c = list->first; c != NULL; c = c->next) {
		uint32_t events = awaited_of(c);

		if (events == c->watched)
			continue;
		if (*left == 0)
			return false;
		(*left)--;
		all &= look_for(w, c, events);
	}
	return all;
}

/* One that is ready: the worker is away, so it still is what it was when epoll
 * was asked.  False when there is more to do for it. */
static bool
look_at(struct watch *w, struct connection *c, int64_t now_ns)
{
	bool done = true;

	if (flush_is_due(c)) {
		done = flush(w->engine, c);
	} else if (may_leave(c)) {
		if (c->since_ns == 0)
			c->since_ns = now_ns;
		done = handover_give_now(w->engine, c);
	}
	if (c->watched != awaited_of(c))
		done &= look_for(w, c, awaited_of(c));
	return done;
}

static bool
look_at_ready(struct watch *w)
{
	struct epoll_event events[AT_ONCE];
	int n = epoll_wait(w->epoll, events, AT_ONCE, 0);
	int64_t now_ns = n > 0 ? clock_monotonic_ns() : 0;
	bool all = true;

	for (int i = 0; i < n; i++)
		all &= look_at(w, events[i].data.ptr, now_ns);
	return all;
}

/* What only a leader looks after, and this one waits for as well: the master's
 * orders, and the turn to accept. */
static void
call_leader(struct watch *w)
{
	struct engine *e = w->engine;
	struct pollfd p[] = {
		{.fd = e->channel_watched ? e->set.channel : -1},
		{.fd = e->sigterm_watched ? e->set.sigterm : -1},
		{.fd = e->lock_watched ? locker_fd(e->set.locker) : -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		p[i].events = POLLIN;
	if (poll(p, ARRAY_LEN(p), 0) > 0)
		crew_call_leader(e->set.crew);
}

/* A wait of the worker's may have used up the wake-up for what is there; and
 * that of a nudge, or another stuck worker's has.  So there are more nudges,
 * ever more seldom, for as long as nobody comes.  Where they are taken, the next
 * look may find another client, or the same whom nobody can serve. */
static void
pass_wake_up_on(struct watch *w)
{
	struct engine *e = w->engine;
	struct pollfd door = {.fd = -1, .events = POLLIN};
	struct pollfd pool = {.fd = e->set.take, .events = POLLIN};
	bool untaken, waits;

	/* In a bucket nobody else may be waiting at all. */
	if (e->accepting || e->set.in_buckets)
		door.fd = e->set.set >= 0 ? e->set.set : e->set.listeners[0];
	if (door.fd < 0 && !e->pool_watched)
		return;
	untaken = poll(&pool, 1, 0) > 0;
	waits = (untaken && e->pool_watched) || poll(&door, 1, 0) > 0;
	if (!waits) {
		w->knocks = 0;
		w->pause = 1;
		return;
	}
	w->calm = false;
	if (!untaken && w->pause > TAKEN_PAUSE)
		w->pause = TAKEN_PAUSE;
	if (++w->knocks < w->pause)
		return;
	(void)handoff_nudge(e->set.give);
	w->knocks = 0;
	w->pause *= 2;
}

/* It may have been the last idle worker: the master need not find that out
 * when its second is over. */
static void
tell_master(struct watch *w)
{
	struct watcher *watcher = w->watcher;
	int64_t now = clock_monotonic_ns();

	if (now - watcher->told_ns < TELL_NS)
		return;
	watcher->told_ns = now;
	(void)channel_send(
		w->engine->set.channel, CHANNEL_BUSY, 0, NULL, NULL, 0);
}

/* What other workers have passed on to this one. */
static void
take_parcels(struct watch *w)
{
	if (share_take_what_fits(w->engine))
		w->all_watched = false;
}

/* What is the business of one worker becomes another one's, while there is
 * one that is idle. */
static void
replace_leader(struct watch *w)
{
	struct engine *e = w->engine;
	bool somebody = false;

	if (e->set.crew != NULL) {
		somebody = crew_resign(e->set.crew, e->set.worker);
		take_parcels(w);
		call_leader(w);
	}
	if (!somebody)
		tell_master(w);
}

/* The lists are the stuck worker's: nobody changes them but we. */
static void
watch_connections(struct watch *w)
{
	struct engine *e = w->engine;
	int left = AT_ONCE;
	bool all;

	if (w->all_watched)
		return;
	all = add(w, &e->sending, &left);
	all &= add(w, &e->parked, &left);
	all &= add(w, &e->reading, &left);
	w->all_watched = all;
}

/* What others can serve now. */
static void
give_all(struct watch *w)
{
	struct engine *e = w->engine;

	io_withdraw_sends(e->io, send_now, w);
	w->calm &= give_queue(w);
	w->calm &= give_answered(w);
	watch_connections(w);
	w->calm &= w->all_watched;
	if (e->n_connections > (e->running != NULL))
		w->calm &= look_at_ready(w);
}

/* One go, with the engine ours. */
static void
look_after(struct watch *w)
{
	struct engine *e = w->engine;

	accept_show_away(e);
	replace_leader(w);
	push_own(e);
	if (hangup_is_due(e)) {
		hangup_idle(e, clock_monotonic_ns());
		w->all_watched = false;
	}
	give_all(w);
	pass_wake_up_on(w);
	report_overdue(e, w->worker);
}

/* The worker waits for the GIL, which another thread of this child keeps for
 * long: so other workers of it would be no better off, but siblings are.  The
 * lead stays, as whoever had it would wait likewise. */
static void
look_after_entrant(struct watch *w)
{
	struct engine *e = w->engine;

	/* Who can be helped by nobody is not listened to: the wait would end at
	 * once, again and again. */
	if (++w->looks < PATIENT || e->set.balance == NULL ||
		!balance_has_idle(e->set.balance)) {
		w->calm = false;
		return;
	}
	if (e->set.crew != NULL)
		take_parcels(w);
	give_all(w);
	pass_wake_up_on(w);
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
	w->calm = true;
	if (!acquire(w, word))
		return;
	if (w->took != word) {
		w->took = word;
		w->looks = 0;
		w->all_watched = false;
		w->knocks = 0;
		w->pause = 1;
		/* What its client does now is for the worker. */
		if (w->engine->running != NULL)
			watch_forget(w, w->engine->running);
	}
	if (w->engine->entering)
		look_after_entrant(w);
	else
		look_after(w);
	atomic_store(&w->word, word);
}

struct tick {
	size_t stuck; /* workers; their sets are in watcher.stuck */
	bool calm;    /* nothing is to be done but to wait for clients */
	bool quiet;   /* no worker has begun anything, or is in a request */
};

static struct tick
look(struct watcher *w)
{
	struct tick tick = {.calm = true, .quiet = true};

	for (size_t i = 0; i < w->n; i++) {
		struct watch *one = &w->watches[i];
		uint32_t word = atomic_load(&one->word);

		if (word == one->last && (word & WHOSE) == NOBODYS) {
			take_over(one, word);
			tick.calm &= one->calm;
			w->stuck[tick.stuck++] = (struct pollfd){
				.fd = one->epoll, .events = POLLIN};
		}
		if (word != one->last || (word & WHOSE) != WORKERS)
			tick.quiet = false;
		one->last = word;
	}
	return tick;
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

/* Between ticks.  idle: so many have found nothing. */
static void
rest(struct watcher *w, const struct tick *tick, int idle)
{
	bool deprived = deprived_is_known(&w->deprived);
	bool may_doze;

	if (atomic_exchange(&w->hurry, false) || !tick->calm || deprived)
		w->uneventful = 0;
	may_doze = ++w->uneventful > ALERT_TICKS;
	if (idle > IDLE_TICKS && !deprived) {
		sleep_until_woken(w);
		w->uneventful = 0;
	} else if (tick->stuck > 0 && tick->calm && !deprived) {
		wait_for_clients(w, tick, may_doze ? LONG_TICK_MS : TICK_MS);
	} else if (may_doze) {
		doze(w);
	} else {
		wait_for_news(w, TICKS, TICK_MS);
	}
}

static void *
watch_all(void *arg)
{
	struct watcher *w = arg;
	int idle = 0;

	pthread_setname_np(pthread_self(), "wsgid-watcher");
	w->uneventful = 0;
	while (!atomic_load(&w->ending)) {
		struct tick tick = look(w);

		idle = tick.quiet ? idle + 1 : 0;
		deprived_look(&w->deprived, w->watches[0].engine,
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
		one->engine = engines[w->n];
		one->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (one->epoll < 0) {
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
		push_own(one->engine);
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
		close(w->watches[i].epoll);
	free(w->stuck);
	free(w);
}
