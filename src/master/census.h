/*
 * census.h - what children there are, and how many of their workers idle.
 */
#ifndef WSGID_MASTER_CENSUS_H
#define WSGID_MASTER_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "mpm/mpm.h"

struct child;
struct master;

struct census {
	/* Children. */
	int starting;
	int ready;
	int draining;     /* stopping ones too */
	int obsolete;     /* ready, but of an older generation */
	int outgoing;     /* these, and those that want to be replaced */
	int replacements; /* of the starting ones */
	/* Workers: threads, under prefork as many as children. */
	int starting_workers;
	int workers;   /* of the ready children */
	int idle;      /* of these; this and the next: census_look */
	int finishing; /* in a request, of the draining */
};

/* Without what costs a look at every child's page. */
void census_take(const struct master *m, struct census *ret);
void census_look(const struct master *m, struct census *census);

/* Seconds: a child that has been ready for so long is no failure. */
enum { SETTLED_S = 10 };

/* The requests that a child had not finished, by its page: to be asked when it
 * has died.  No number of a child's is believed above CENSUS_MOST. */
enum { CENSUS_MOST = 1 << 20 };
int census_unfinished(const struct master *m, const struct child *c);

/* Has it answered a request of a client, by its page?  Of one that was not ready
 * nothing is believed. */
bool census_answered(const struct master *m, const struct child *c);

/* Remember that, and whether it has at least begun one. */
void census_note_deeds(const struct master *m, struct child *c);

/* Of all, the living and the dead; a child may lie about its own. */
struct census_deeds {
	uint64_t requests, connections;
};
struct census_deeds census_deeds(const struct master *m);

/* A replacement is in the place of the one that goes when it is ready, and so
 * takes none itself. */
int census_active(const struct census *census);

/* How many may be added to those that are active. */
int census_vacant(const struct master *m, const struct census *census);

/* As the policy wants it; after census_look. */
struct mpm_census census_for_policy(
	const struct master *m, const struct census *census);

/* Within which the policy keeps them. */
struct mpm_limits census_limits(const struct master *m);

/* No number of idle workers could make the policy change anything. */
bool census_settled(const struct master *m, const struct census *census);

/* The child that the policy may send away, which has the most idle workers
 * and at least one, or NULL. */
struct child *census_idle_child(const struct master *m);

/* The most children: as MaxRequestWorkers allows, but never above the
 * ServerLimit of the start. */
long census_limit(const struct master *m);

/* The same in workers. */
long census_worker_limit(const struct master *m);

/* Are workers threads? */
bool census_of_threads(const struct master *m);

#endif
