/*
 * crew.c - the workers of one child, under MPM worker.  See crew.h.
 *
 * One lock for everything, because everything is a handful of instructions
 * and none of them is on the way of a short request: that one only reads who
 * leads.
 */
#include "child/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/handoff.h"

enum { NOBODY = -1 };

enum room { ROOM_NOTHING, ROOM_WANTED, ROOM_MADE };

struct parcel {
	struct parcel *next;
	struct handoff handoff;
	char bytes[];
};

struct member {
	int bell;
	bool idle; /* waits, and may be dealt something */
	bool engaged; /* keeps a connection, whose requests come to it as well */
	bool done;
	_Atomic uint32_t ready; /* requests that wait, as it said, and what came */
	int64_t stands_ns;      /* in the line: since when, or 0 */
	struct parcel *first, **last;
};

struct crew {
	pthread_mutex_t lock;
	pthread_mutex_t line; /* of those who wait for the interpreter */
	pthread_cond_t stepped;
	size_t last;        /* to step in */
	int64_t stepped_ns; /* when it did */
	int64_t had_ns;     /* how long it has had Python since another one had */
	_Atomic int leader; /* changed under the lock */
	_Atomic int order;  /* likewise: enum crew_order */
	_Atomic int64_t leave_by_ns;
	_Atomic int64_t lately_ns;
	_Atomic int long_ones;
	_Atomic int room;           /* enum room */
	_Atomic bool leader_waits;
	size_t n, n_done;
	struct member members[];
};

/* --- parcels ------------------------------------------------------------------ */

static void
close_content(const struct parcel *p)
{
	if (p->handoff.fd >= 0)
		close(p->handoff.fd);
	if (p->handoff.spool_len > 0 && p->handoff.spool >= 0)
		close(p->handoff.spool);
}

/* NULL when memory or descriptors are short. */
static struct parcel *
pack(const struct handoff *h)
{
	struct parcel *p = malloc(sizeof(*p) + h->bytes.len);

	if (p == NULL)
		return NULL;
	p->next = NULL;
	p->handoff = *h;
	if (h->bytes.len > 0)
		memcpy(p->bytes, h->bytes.p, h->bytes.len);
	p->handoff.bytes.p = p->bytes;
	p->handoff.fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
	if (h->spool_len > 0)
		p->handoff.spool = fcntl(h->spool, F_DUPFD_CLOEXEC, 0);
	if (p->handoff.fd >= 0 && (h->spool_len == 0 || p->handoff.spool >= 0))
		return p;
	close_content(p);
	free(p);
	return NULL;
}

const struct handoff *
crew_parcel_content(const struct parcel *p)
{
	return &p->handoff;
}

void
crew_free_parcel(struct parcel *p)
{
	free(p);
}

static void
throw_away(struct parcel *p)
{
	close_content(p);
	free(p);
}

/* --- beginning and end ---------------------------------------------------------- */

int
crew_create(struct crew **ret, size_t n, struct err *err)
{
	struct crew *crew =
		calloc(1, sizeof(*crew) + n * sizeof(struct member));

	if (crew == NULL)
		return err_set(err, ENOMEM, "workers");
	pthread_mutex_init(&crew->lock, NULL);
	pthread_mutex_init(&crew->line, NULL);
	pthread_cond_init(&crew->stepped, NULL);
	for (; crew->n < n; crew->n++) {
		struct member *m = &crew->members[crew->n];

		m->last = &m->first;
		m->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (m->bell < 0) {
			int rc = err_set(err, errno, "workers");

			crew_destroy(crew);
			return rc;
		}
	}
	*ret = crew;
	return 0;
}

void
crew_destroy(struct crew *crew)
{
	struct parcel *p;

	if (crew == NULL)
		return;
	for (size_t i = 0; i < crew->n; i++) {
		while ((p = crew_take(crew, i)) != NULL)
			throw_away(p);
		close(crew->members[i].bell);
	}
	pthread_mutex_destroy(&crew->lock);
	pthread_mutex_destroy(&crew->line);
	pthread_cond_destroy(&crew->stepped);
	free(crew);
}

/* The lock may be held, by a thread that the copy does not have. */
void
crew_abandon(struct crew *crew)
{
	for (size_t i = 0; crew != NULL && i < crew->n; i++) {
		const struct parcel *p = crew->members[i].first;

		for (; p != NULL; p = p->next)
			close_content(p);
		close(crew->members[i].bell);
	}
}

/* --- bells ------------------------------------------------------------------------ */

static void
ring(struct member *m)
{
	uint64_t one = 1;

	(void)!write(m->bell, &one, sizeof(one));
}

static void
ring_all(struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		ring(&crew->members[i]);
}

int
crew_bell(const struct crew *crew, size_t worker)
{
	return crew->members[worker].bell;
}

void
crew_answer_bell(struct crew *crew, size_t worker)
{
	uint64_t times;

	(void)!read(crew->members[worker].bell, &times, sizeof(times));
}

struct parcel *
crew_take(struct crew *crew, size_t worker)
{
	struct member *m = &crew->members[worker];
	struct parcel *p;

	pthread_mutex_lock(&crew->lock);
	p = m->first;
	if (p != NULL)
		m->first = p->next;
	if (m->first == NULL)
		m->last = &m->first;
	pthread_mutex_unlock(&crew->lock);
	return p;
}

/* --- who leads; under the lock where a name begins with "pick" ------------------- */

static struct member *
pick_idle(struct crew *crew)
{
	struct member *found = NULL;

	for (size_t i = 0; i < crew->n; i++) {
		struct member *m = &crew->members[i];

		if (m->idle && (found == NULL || (found->engaged && !m->engaged)))
			found = m;
	}
	return found;
}

/* An idle worker, or nobody, leads from now on.  Until it says otherwise it waits. */
static struct member *
pick_leader(struct crew *crew)
{
	struct member *m = pick_idle(crew);

	if (m != NULL)
		m->idle = false;
	crew_show_leader(crew, m != NULL);
	atomic_store(
		&crew->leader, m != NULL ? (int)(m - crew->members) : NOBODY);
	return m;
}

/* With what the last leader has left behind, where it wrote to what only a
 * leader does. */
bool
crew_leads(const struct crew *crew, size_t worker)
{
	return atomic_load_explicit(&crew->leader, memory_order_acquire) ==
	       (int)worker;
}

bool
crew_is_led(const struct crew *crew)
{
	return atomic_load(&crew->leader) != NOBODY;
}

bool
crew_leader_waits(const struct crew *crew)
{
	return crew_is_led(crew) &&
	       atomic_load_explicit(
		       &crew->leader_waits, memory_order_relaxed);
}

void
crew_show_leader(struct crew *crew, bool waits)
{
	atomic_store_explicit(
		&crew->leader_waits, waits, memory_order_relaxed);
}

bool
crew_rest(struct crew *crew, size_t worker, bool engaged)
{
	struct member *m = &crew->members[worker];
	bool leads;

	pthread_mutex_lock(&crew->lock);
	if (atomic_load(&crew->leader) == NOBODY)
		atomic_store(&crew->leader, (int)worker);
	leads = crew_leads(crew, worker);
	m->idle = !leads && m->first == NULL;
	m->engaged = engaged;
	m->ready = 0;
	pthread_mutex_unlock(&crew->lock);
	return leads;
}

bool
crew_stand_in(struct crew *crew, size_t worker)
{
	if (!crew_is_led(crew)) {
		pthread_mutex_lock(&crew->lock);
		if (!crew_is_led(crew))
			atomic_store(&crew->leader, (int)worker);
		pthread_mutex_unlock(&crew->lock);
	}
	return crew_leads(crew, worker);
}

bool
crew_work(struct crew *crew, size_t worker)
{
	bool came;

	pthread_mutex_lock(&crew->lock);
	crew->members[worker].idle = false;
	came = crew->members[worker].first != NULL;
	pthread_mutex_unlock(&crew->lock);
	return came;
}

/* What came for one is for another. */
static void
move_all(struct member *from, struct member *to)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	from->first = NULL;
	from->last = &from->first;
}

bool
crew_resign(struct crew *crew, size_t worker)
{
	struct member *next = NULL;
	bool somebody = true;

	pthread_mutex_lock(&crew->lock);
	if (crew_leads(crew, worker)) {
		next = pick_leader(crew);
		somebody = next != NULL;
		if (somebody && atomic_load(&crew->order) == CREW_SERVE)
			move_all(&crew->members[worker], next);
	}
	pthread_mutex_unlock(&crew->lock);
	if (next != NULL)
		ring(next);
	return somebody;
}

void
crew_call_leader(struct crew *crew)
{
	int leader = atomic_load(&crew->leader);

	if (leader != NOBODY)
		ring(&crew->members[leader]);
}

/* --- descriptors -------------------------------------------------------------------- */

void
crew_ask_for_room(struct crew *crew, size_t leader)
{
	atomic_store(&crew->room, ROOM_WANTED);
	for (size_t i = 0; i < crew->n; i++)
		if (i != leader)
			ring(&crew->members[i]);
}

static bool
change_room(struct crew *crew, int from, int to)
{
	return atomic_compare_exchange_strong(&crew->room, &from, to);
}

bool
crew_takes_room_order(struct crew *crew)
{
	return change_room(crew, ROOM_WANTED, ROOM_NOTHING);
}

void
crew_made_room(struct crew *crew)
{
	atomic_store(&crew->room, ROOM_MADE);
	crew_call_leader(crew);
}

bool
crew_has_room(struct crew *crew)
{
	return change_room(crew, ROOM_MADE, ROOM_NOTHING);
}

/* --- passing connections on --------------------------------------------------------- */

static void
put(struct member *m, struct parcel *p)
{
	*m->last = p;
	m->last = &p->next;
}

/* Would anybody take it?  Packing costs a descriptor. */
static bool
has_taker(struct crew *crew, bool may_lead)
{
	bool found;

	pthread_mutex_lock(&crew->lock);
	found = pick_idle(crew) != NULL || (may_lead && crew_is_led(crew));
	pthread_mutex_unlock(&crew->lock);
	return found;
}

/* To whoever is picked, under the lock: 0, or -EAGAIN when there is nobody, or a child
 * that leaves. */
static int
pass_on(struct crew *crew, size_t from, const struct handoff *h,
	struct member *(*pick)(struct crew *, size_t from))
{
	struct member *m = NULL;
	struct parcel *p = pack(h);

	if (p == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&crew->lock);
	if (atomic_load(&crew->order) == CREW_SERVE)
		m = pick(crew, from);
	if (m != NULL)
		put(m, p);
	pthread_mutex_unlock(&crew->lock);
	if (m == NULL) {
		throw_away(p);
		return -EAGAIN;
	}
	ring(m);
	return 0;
}

bool
crew_has_idle(struct crew *crew)
{
	return has_taker(crew, false);
}

static struct member *
pick_worker(struct crew *crew, size_t from)
{
	struct member *m = pick_idle(crew);

	(void)from;
	if (m != NULL)
		m->idle = false;
	return m;
}

int
crew_deal(struct crew *crew, const struct handoff *h)
{
	if (atomic_load(&crew->order) != CREW_SERVE || !crew_has_idle(crew))
		return -EAGAIN;
	return pass_on(crew, 0, h, pick_worker);
}

void
crew_show_ready(struct crew *crew, size_t worker, size_t ready)
{
	atomic_store_explicit(&crew->members[worker].ready, (uint32_t)ready,
		memory_order_relaxed);
}

/* The one with the fewest.  Who has none is idle, or stuck and has given away what
 * he had. */
static struct member *
find_shorter(struct crew *crew, size_t from)
{
	uint32_t ready = crew->members[from].ready;
	struct member *found = NULL;

	for (size_t i = 0; i < crew->n; i++) {
		struct member *m = &crew->members[i];

		if (m->ready > 0 && m->ready + ready / 4 + 1 < ready &&
			(found == NULL || m->ready < found->ready))
			found = m;
	}
	return found;
}

static struct member *
pick_shorter(struct crew *crew, size_t from)
{
	struct member *m = find_shorter(crew, from);

	if (m != NULL)
		m->ready++;
	return m;
}

int
crew_even_out(struct crew *crew, size_t from, const struct handoff *h)
{
	if (find_shorter(crew, from) == NULL)
		return -EAGAIN;
	return pass_on(crew, from, h, pick_shorter);
}

static struct member *
pick_any_leader(struct crew *crew, size_t from)
{
	int leader = atomic_load(&crew->leader);

	if (leader == (int)from)
		return NULL;
	return leader != NOBODY ? &crew->members[leader] : pick_leader(crew);
}

int
crew_give(struct crew *crew, size_t from, const struct handoff *h)
{
	if (atomic_load(&crew->order) != CREW_SERVE || crew_leads(crew, from) ||
		!has_taker(crew, true))
		return -EAGAIN;
	return pass_on(crew, from, h, pick_any_leader);
}

/* --- the interpreter ------------------------------------------------------------------- */

static bool
has_stood_long(const struct crew *crew, int64_t now_ns)
{
	for (size_t i = 0; i < crew->n; i++) {
		int64_t since_ns = crew->members[i].stands_ns;

		if (since_ns != 0 && now_ns - since_ns > CREW_SLICE_NS)
			return true;
	}
	return false;
}

/* Not for ever: whoever stands there may be kept by something else. */
static void
let_others_in(struct crew *crew, size_t worker, int64_t now_ns)
{
	int64_t until_ns = now_ns + CREW_SLICE_NS;
	struct timespec until = {
		until_ns / 1000000000, until_ns % 1000000000};
	int rc = 0;

	while (rc == 0 && crew->last == worker)
		rc = pthread_cond_clockwait(&crew->stepped, &crew->line,
			CLOCK_MONOTONIC, &until);
}

void
crew_line_up(struct crew *crew, size_t worker, int64_t now_ns)
{
	pthread_mutex_lock(&crew->line);
	if (crew->last == worker) {
		crew->had_ns += now_ns - crew->stepped_ns;
		if (crew->had_ns > CREW_SLICE_NS &&
			has_stood_long(crew, now_ns)) {
			let_others_in(crew, worker, now_ns);
			now_ns = clock_monotonic_ns();
		}
	}
	crew->members[worker].stands_ns = now_ns;
	pthread_mutex_unlock(&crew->line);
}

void
crew_step_in(struct crew *crew, size_t worker, int64_t now_ns)
{
	pthread_mutex_lock(&crew->line);
	crew->members[worker].stands_ns = 0;
	if (crew->last != worker)
		crew->had_ns = 0;
	crew->last = worker;
	crew->stepped_ns = now_ns;
	pthread_cond_signal(&crew->stepped);
	pthread_mutex_unlock(&crew->line);
}

/* --- all of them ---------------------------------------------------------------------- */

int64_t
crew_lately(const struct crew *crew)
{
	return atomic_load_explicit(&crew->lately_ns, memory_order_relaxed);
}

int
crew_long_ones(const struct crew *crew)
{
	return atomic_load_explicit(&crew->long_ones, memory_order_relaxed);
}

/* Two at once may lose one of them: they are averages. */
void
crew_note_duration(struct crew *crew, int64_t ns, bool is_long)
{
	int64_t lately = crew_lately(crew);
	int ones = crew_long_ones(crew);

	atomic_store_explicit(&crew->lately_ns, lately + (ns - lately) / 8,
		memory_order_relaxed);
	atomic_store_explicit(&crew->long_ones,
		ones + ((is_long ? CREW_ALL : 0) - ones) / 64,
		memory_order_relaxed);
}

void
crew_tell(struct crew *crew, enum crew_order order, int64_t leave_by_ns)
{
	int64_t before;

	pthread_mutex_lock(&crew->lock);
	before = atomic_load(&crew->leave_by_ns);
	if (leave_by_ns > 0 && (before == 0 || leave_by_ns < before))
		atomic_store(&crew->leave_by_ns, leave_by_ns);
	if ((int)order > atomic_load(&crew->order))
		atomic_store(&crew->order, (int)order);
	pthread_mutex_unlock(&crew->lock);
	ring_all(crew);
}

enum crew_order
crew_order(const struct crew *crew, int64_t *ret_leave_by_ns)
{
	int order = atomic_load_explicit(&crew->order, memory_order_acquire);

	*ret_leave_by_ns =
		atomic_load_explicit(&crew->leave_by_ns, memory_order_relaxed);
	return (enum crew_order)order;
}

bool
crew_done(struct crew *crew, size_t worker)
{
	struct member *m = &crew->members[worker];
	bool last = false, all;

	pthread_mutex_lock(&crew->lock);
	if (!m->done && m->first == NULL) {
		m->done = true;
		last = ++crew->n_done == crew->n;
	}
	all = crew->n_done == crew->n;
	/* It leaves, and others may have been given something since they were
	 * done: one of those is to lead. */
	if (all) {
		m->idle = false;
		if (crew_leads(crew, worker))
			atomic_store(&crew->leader, NOBODY);
	}
	pthread_mutex_unlock(&crew->lock);
	if (last)
		ring_all(crew);
	return all;
}
