/*
 * fixture.h - a master without children, in a directory of its own.
 */
#ifndef WSGID_TEST_MASTER_FIXTURE_H
#define WSGID_TEST_MASTER_FIXTURE_H

#include "master/generation.h"
#include "master/state.h"

enum { SLOTS = 8, THREADS = 3, THREAD_LIMIT = 5 };

struct fixture {
	struct master m;
	struct generation generation;
	char dir[64];
};

/* cmocka's setup and teardown; *state is the fixture.  The configuration is
 * settled for two CPUs; limits are MinSpareServers 1, MaxSpareServers 2,
 * MaxRequestWorkers 4. */
int fixture_make(void **state);
/* The same under MPM worker: children of THREADS threads, MinSpareThreads 2,
 * MaxSpareThreads 6, MaxRequestWorkers 12. */
int fixture_make_worker(void **state);
int fixture_remove(void **state);

/* A child in this state, as if it had been forked. */
struct child *fixture_child(
	struct fixture *f, unsigned slot, enum lifecycle life);
/* What its page says that its worker does; or, a letter each, that its
 * threads do. */
void fixture_work(struct fixture *f, unsigned slot, uint32_t state);
void fixture_threads(struct fixture *f, unsigned slot, const char *letters);

/* Let the loop's next event happen: true when there was one. */
bool fixture_event(struct fixture *f);

/* In a process that a test has forked: do nothing, and die with the test. */
void fixture_wait_to_be_killed(void) __attribute__((noreturn));

/* dir/name, valid until the next call. */
const char *fixture_path(struct fixture *f, const char *name);
/* The whole file, valid until the next call. */
const char *fixture_read(struct fixture *f, const char *name);

#endif
