/*
 * buckets.c - ListenCoresBucketsRatio: several sockets for one address, and
 * children for each.
 *
 * On a machine of many CPUs one listening socket is a lock that all of them
 * want.  As in Apache there may be several (SO_REUSEPORT): the kernel deals
 * the connections out to them, and the children of slot i wait on those of
 * bucket i modulo the number of buckets.
 *
 * The weakness, which Apache has: who was dealt to a bucket waits for its
 * children, though others are idle, and a bucket without a child keeps its
 * clients for ever.  Here a bucket's children wait on an epoll set, and the
 * master holds these sets too: while a bucket has no child that is ready, its
 * listeners are put into the sets of all others.  When it has some and all of
 * them are busy, their watchers nudge the pool, and whoever is idle looks at
 * every listener (accept.c).  Besides, children are started where the fewest
 * are, and the last one of a bucket is not retired.
 *
 * Sockets are made once: closing one would reset the connections that wait in
 * it, so their number stays for the life of the server.
 */
#include "master/buckets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/heritage.h"
#include "master/state.h"
#include "mpm/mpm.h"
#include "net/listen.h"

void
buckets_choose(struct master *m, const struct config *c)
{
	m->n_buckets = m->n_passed > 0 ? 1 : (unsigned)c->buckets;
	/* The sockets are there. */
	if (m->heritage != NULL)
		m->n_buckets = m->heritage->buckets;
}

void
buckets_say(const struct master *m)
{
	const struct config *c = m->now->config;

	if (m->n_buckets > 1)
		log_notice("master",
			"ListenCoresBucketsRatio %ld: %u buckets, a socket in "
			"each for every address",
			c->listen_cores_buckets_ratio, m->n_buckets);
	else if (c->buckets > 1)
		log_warnx("master",
			"ListenCoresBucketsRatio does not apply to sockets "
			"that systemd passes");
}

unsigned
buckets_of_slot(const struct master *m, unsigned slot)
{
	return m->n_buckets > 1 ? slot % m->n_buckets : 0;
}

/* --- sets ----------------------------------------------------------------------- */

static bool
is_in(const struct generation *g, size_t listener, unsigned bucket)
{
	return g->buckets[listener] == EVERY_BUCKET ||
	       g->buckets[listener] == (int)bucket;
}

static int
make_set(struct generation *g, unsigned bucket)
{
	int rc = 0;

	g->bucket_sets[bucket] = epoll_create1(EPOLL_CLOEXEC);
	if (g->bucket_sets[bucket] < 0)
		return -errno;
	for (size_t i = 0; rc == 0 && i < g->n_listeners; i++)
		if (is_in(g, i, bucket))
			rc = listen_set_add(
				g->bucket_sets[bucket], &g->listeners[i], i);
	return rc;
}

int
buckets_make_sets(struct generation *g, struct err *err)
{
	int rc = 0;

	g->bucket_sets = calloc(g->n_buckets, sizeof(*g->bucket_sets));
	g->lent = calloc(g->n_buckets, sizeof(*g->lent));
	if (g->bucket_sets == NULL || g->lent == NULL)
		return err_set(err, ENOMEM, "sets of the listeners");
	for (unsigned i = 0; i < g->n_buckets; i++)
		g->bucket_sets[i] = -1;
	for (unsigned i = 0; rc == 0 && i < g->n_buckets; i++)
		rc = make_set(g, i);
	return rc < 0 ? err_set(err, -rc, "sets of the listeners") : 0;
}

void
buckets_close_sets(struct generation *g)
{
	for (unsigned i = 0; g->bucket_sets != NULL && i < g->n_buckets; i++)
		fd_close(&g->bucket_sets[i]);
	free(g->bucket_sets);
	free(g->lent);
	g->bucket_sets = NULL;
	g->lent = NULL;
}

int
buckets_mend_sets(const struct generation *g)
{
	bool *in = calloc(g->n_listeners + 1, sizeof(*in));
	int rc = in != NULL ? 0 : -ENOMEM;

	for (unsigned b = 0; rc >= 0 && b < g->n_buckets; b++) {
		int mended;

		for (size_t i = 0; i < g->n_listeners; i++)
			in[i] = is_in(g, i, b) || g->lent[g->buckets[i]];
		mended = listen_set_mend(
			g->bucket_sets[b], g->listeners, in, g->n_listeners);
		if (mended != 0)
			rc = mended;
	}
	free(in);
	return rc;
}

/* --- lending --------------------------------------------------------------------- */

static void
lend_to(const struct generation *g, unsigned bucket, int set, bool on)
{
	for (size_t i = 0; i < g->n_listeners; i++) {
		int rc;

		if (g->buckets[i] != (int)bucket)
			continue;
		rc = on ? listen_set_add(set, &g->listeners[i], i)
			: listen_set_remove(set, &g->listeners[i]);
		if (rc < 0)
			log_warnx("master", "listener of bucket %u: %s", bucket,
				strerror(-rc));
	}
}

static void
lend(const struct generation *g, unsigned bucket, bool on)
{
	if (g->lent[bucket] == on)
		return;
	for (unsigned i = 0; i < g->n_buckets; i++)
		if (i != bucket)
			lend_to(g, bucket, g->bucket_sets[i], on);
	g->lent[bucket] = on;
	log_debug("master", "bucket %u has %s child: its clients are for %s",
		bucket, on ? "no" : "a", on ? "all others" : "it alone");
}

/* Of the older generations too: they wait on the same sockets. */
static bool
has_ready_child(const struct master *m, unsigned bucket)
{
	for (unsigned i = bucket; i < m->n_slots; i += m->n_buckets)
		if (m->children[i].life == LIFECYCLE_READY)
			return true;
	return false;
}

void
buckets_turn(struct master *m)
{
	const struct generation *g = m->now;

	if (g->bucket_sets == NULL || m->phase != PHASE_RUNNING)
		return;
	for (unsigned i = 0; i < g->n_buckets; i++)
		lend(g, i, !has_ready_child(m, i));
}

/* --- whom to start and whom to retire ---------------------------------------------- */

static unsigned
count(const struct master *m, unsigned bucket, unsigned generation)
{
	unsigned n = 0;

	for (unsigned i = bucket; i < m->n_slots; i += m->n_buckets)
		n += child_active(&m->children[i]) &&
		     m->children[i].generation == generation &&
		     !m->children[i].wants_retire;
	return n;
}

unsigned
buckets_neediest(const struct master *m, unsigned generation)
{
	unsigned found = 0, least = 0;

	for (unsigned i = 0; i < m->n_buckets; i++) {
		unsigned n = count(m, i, generation);

		if (i > 0 && n >= least)
			continue;
		found = i;
		least = n;
	}
	return found;
}

bool
buckets_can_spare(const struct master *m, const struct child *c)
{
	return m->n_buckets < 2 ||
	       count(m, buckets_of_slot(m, c->slot), m->now->number) > 1;
}
