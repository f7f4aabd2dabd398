/*
 * renew.c - what children share is made anew, and all of them with it.
 *
 * Descriptors come to a child when it starts, so whoever has the broken ones
 * is replaced, as in a reload: the new child first, and then the old one
 * finishes what it has.  The configuration stays what it is.
 */
#include "master/renew.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/child.h"
#include "master/fdstore.h"
#include "master/generation.h"
#include "master/guard.h"
#include "master/state.h"
#include "master/template.h"
#include "net/handoff.h"
#include "net/listen.h"

static void
say_renewed(const char *what, const char *name)
{
	log_errorx("master",
		"%s%s: a child has broken it, as only the application could; "
		"there is a new one, and the children are replaced",
		what, name);
}

static void
say_lost(const char *what, const char *name, const char *why)
{
	log_errorx("master",
		"%s%s: a child has broken it, as only the application could, "
		"and it cannot be made anew: %s; restart the server",
		what, name, why);
}

/* --- the parts -------------------------------------------------------------------- */

static bool
renew_pool(struct master *m)
{
	int give, take, rc = handoff_pair(&give, &take);

	if (rc < 0) {
		say_lost("the pool's socket", "", strerror(-rc));
		return false;
	}
	/* The children hold it still, so closing ends no watching. */
	if (m->guard.hangups.fd >= 0)
		(void)epoll_ctl(
			m->guard.hangups.fd, EPOLL_CTL_DEL, m->pool_take, NULL);
	fd_close(&m->pool_give);
	fd_close(&m->pool_take);
	m->pool_give = give;
	m->pool_take = take;
	say_renewed("the pool's socket", "");
	return true;
}

static bool
renew_listener(struct master *m, size_t i)
{
	struct generation *g = m->now;
	struct err err = {0};

	if (listen_again(&g->listeners[i], 0) != -ESHUTDOWN)
		return false;
	if (generation_open_again(g, i, &err) < 0) {
		say_lost("Listen ", g->asked[i], err.text);
		return false;
	}
	say_renewed("Listen ", g->asked[i]);
	fdstore_replace(m, i);
	return true;
}

static bool
renew_listeners(struct master *m)
{
	bool any = false;

	for (size_t i = 0; i < m->now->n_listeners; i++)
		any |= renew_listener(m, i);
	return any;
}

static bool
renew_sets(struct master *m)
{
	struct err err = {0};

	if (generation_renew_sets(m->now, &err) == 0)
		return true;
	say_lost("the set of the listeners", "", err.text);
	return false;
}

/* --- and who has them ---------------------------------------------------------------- */

static void
replace_children(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (child_active(&m->children[i]))
			m->children[i].wants_retire = true;
	template_renew(m);
}

void
renew_shared(struct master *m, unsigned broken)
{
	bool any = false;

	if ((broken & GUARD_POOL) != 0)
		any |= renew_pool(m);
	if ((broken & GUARD_LISTENERS) != 0 && renew_listeners(m)) {
		any = true;
		if (generation_has_sets(m->now))
			(void)renew_sets(m);
	}
	if ((broken & GUARD_SETS) != 0 && renew_sets(m)) {
		say_renewed("the set of the listeners", "");
		any = true;
	}
	if (any)
		replace_children(m);
}
