/*
 * leftovers.c - waiting for what a killed server has left behind.
 *
 * Its children give their listeners up as soon as they hear of its death,
 * but one that is stopped, or whose process is being torn down, may take a
 * moment.  Whoever starts a server again at once need not know that.  For any
 * other program nobody waits: it will not go by itself.
 */
#include "master/leftovers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "master/generation.h"
#include "master/state.h"
#include "net/address.h"
#include "net/holder.h"

enum {
	PATIENCE_S = 3,
	TRY_MS = 50,
};

/* A process that has an address which we want. */
struct holder {
	pid_t pid; /* 0: it cannot be seen */
	char title[HOLDER_TITLE];
};

static void
find_holder(const struct config *c, struct holder *ret)
{
	char program[HOLDER_PROGRAM];

	*ret = (struct holder){0};
	for (size_t i = 0; i < c->n_listens; i++) {
		struct address addresses[ADDRESS_MOST];
		int n = address_parse(
			addresses, ADDRESS_MOST, c->listens[i].address, NULL);

		for (int k = 0; k < n && ret->pid == 0; k++)
			ret->pid = holder_find(&addresses[k], program);
	}
	if (ret->pid != 0)
		holder_title(ret->pid, ret->title);
}

/* One that cannot be seen may be one, and one that shows nothing of itself any
 * more is ending, whatever it was. */
static bool
is_leftover(const struct holder *h)
{
	return h->pid == 0 || h->title[0] == '\0' ||
	       strncmp(h->title, "wsgid: child", 12) == 0 ||
	       strncmp(h->title, "wsgid: template", 15) == 0;
}

/* What is in the way is said when it stays there. */
static void
say_waiting(const struct holder *h)
{
	if (h->pid == 0)
		log_notice("master",
			"an address is in use, and by whom cannot be seen; it "
			"may be a server that is ending: trying for %d s",
			PATIENCE_S);
	else
		log_notice("master",
			"pid %d (%s), left behind by a server that is gone, "
			"has not given up its listener yet: waiting for it, "
			"%d s at most",
			(int)h->pid, h->title[0] != '\0' ? h->title : "ending",
			PATIENCE_S);
}

/* Has somebody asked us to end?  There is no loop yet to hear of it. */
static bool
told_to_stop(void)
{
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	return sigismember(&pending, SIGTERM) == 1 ||
	       sigismember(&pending, SIGINT) == 1 ||
	       sigismember(&pending, SIGQUIT) == 1;
}

int
leftovers_outwait(struct master *m, struct config *c, struct err *err)
{
	int64_t end = clock_monotonic_ns() + PATIENCE_S * SECOND_NS;
	pid_t told = -1;

	for (;;) {
		int rc = generation_create(&m->now, m, c, m->before, err);
		struct holder holder;

		if (rc != -EADDRINUSE || told_to_stop() ||
			clock_monotonic_ns() >= end)
			return rc;
		find_holder(c, &holder);
		if (!is_leftover(&holder))
			return rc;
		if (holder.pid != told)
			say_waiting(&holder);
		told = holder.pid;
		(void)poll(NULL, 0, TRY_MS);
	}
}
