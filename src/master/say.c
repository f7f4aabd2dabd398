/*
 * say.c - sentences for people.
 */
#include "master/say.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/log.h"
#include "built_with.h"
#include "config/config.h"
#include "master/census.h"
#include "master/generation.h"
#include "master/mutex.h"
#include "master/state.h"
#include "net/address.h"
#include "net/listen.h"

void
say_death(int wait_status, char *to, size_t size)
{
	if (WIFSIGNALED(wait_status))
		snprintf(to, size, "exit signal %s (%d)",
			sigdescr_np(WTERMSIG(wait_status)) != NULL
				? sigdescr_np(WTERMSIG(wait_status))
				: "unknown",
			WTERMSIG(wait_status));
	else
		snprintf(to, size, "exit status %d", WEXITSTATUS(wait_status));
}

void
say_listeners(const struct generation *g, struct buf *to)
{
	for (size_t i = 0; i < g->n_listeners; i++) {
		char text[ADDRESS_TEXT];

		if (g->buckets[i] > 0)
			continue; /* as bucket 0 has it */

		address_format(&g->listeners[i].address, text);
		buf_printf(to, "%s%s%s", i > 0 ? " " : "",
			strncmp(text, "unix:", 5) == 0 ? "" : "http://", text);
	}
}

static void
say_size(const struct master *m, struct buf *to)
{
	const struct config *c = m->now->config;
	long limit = census_limit(m);

	if (c->start_servers >= limit &&
		census_limits(m).max_spare >= census_worker_limit(m))
		buf_printf(
			to, "%ld %s", limit, limit == 1 ? "child" : "children");
	else
		buf_printf(to, "%ld to %ld children", c->start_servers, limit);
	if (census_of_threads(m))
		buf_printf(to, " of %ld %s", c->threads_per_child,
			c->threads_per_child == 1 ? "thread" : "threads");
}

/* Which one: the environment, or the interpreter. */
static void
say_python(const struct generation *g, struct buf *to)
{
	const struct config *c = g->config;
	const char *where = c->python_home;

	if (g->python.facts.executable == NULL)
		return; /* no child was needed yet */
	if (where == NULL && c->python != NULL && c->python[0] == '/')
		where = c->python;
	if (where == NULL)
		where = g->python.facts.executable;
	buf_printf(to, ", %s (%s)", where,
		facts_library(&g->python.facts));
}

void
say_start(struct master *m)
{
	const struct config *c = m->now->config;
	struct buf text = {0};

	buf_printf(&text, "wsgid/%s serves %s at ", WSGID_VERSION,
		c->application != NULL ? c->application : "");
	say_listeners(m->now, &text);
	log_notice("master", "%s", buf_text(&text));
	buf_clear(&text);
	buf_printf(&text, "%s, %s with ", m->python, config_mpm_name(c));
	say_size(m, &text);
	if (c->preload_application)
		buf_add_text(&text, ", application preloaded");
	if (c->user != NULL)
		buf_printf(&text, ", user %s", c->user);
	say_python(m->now, &text);
	buf_printf(&text, ", accept mutex %s", mutex_name(m));
	if (mutex_unneeded(m, m->now))
		buf_add_text(&text, ", not needed with one listener");
	log_notice("master", "%s", buf_text(&text));
	buf_fini(&text);
}
