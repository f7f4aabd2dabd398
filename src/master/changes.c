/*
 * changes.c - when a file that has changed is a reload.
 *
 * An application may write sources while it is imported, and each reload imports
 * it again.  So there is at most one a second, and where change follows import
 * again and again, ever more time between them.  A change that comes while
 * nothing is imported is somebody's who waits for it, and begins the count anew;
 * none is lost.
 */
#include "master/changes.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config/config.h"
#include "master/census.h"
#include "master/generation.h"
#include "master/restart.h"
#include "master/state.h"
#include "net/channel.h"

enum {
	PAUSE_MS = 1000,     /* from the begin of one to that of the next */
	AFTERMATH_MS = 3000, /* a child may be so late to tell of a file that
	                      * was taken away */
	PATIENCE = 4,        /* so many in a row come without more delay */
	DOUBLINGS = 12,
};

/* Several children tell of the same change: what is being imported was begun
 * after it. */
static bool
is_old_news(const struct master *m, const char *path)
{
	struct stat st;

	return m->next != NULL && stat(path, &st) == 0 &&
	       st.st_ctim.tv_sec * INT64_C(1000000) +
			       st.st_ctim.tv_nsec / 1000 <
		       m->reload_since_us;
}

/* Who is going has no say.  One that is still importing may watch what the others
 * do not know. */
static bool
has_say(const struct master *m, const struct child *c)
{
	return c->generation == m->now->number ||
	       (m->next != NULL && c->generation == m->next->number);
}

static bool
may_be_by_import(const struct master *m)
{
	struct census census;

	census_take(m, &census);
	return m->reloading || census.starting > 0 ||
	       m->now_ns - m->reload_over_ns < AFTERMATH_MS * MS_NS;
}

static int64_t
find_pause(const struct changes *c)
{
	unsigned more = c->in_a_row > PATIENCE ? c->in_a_row - PATIENCE : 0;

	return (PAUSE_MS * MS_NS) << (more < DOUBLINGS ? more : DOUBLINGS);
}

static void
count_reload(struct changes *c)
{
	if (++c->in_a_row == PATIENCE + 1)
		log_warnx("master",
			"WSGIReload: a file has changed with each of the last "
			"%d imports of the application, now %s: if it writes "
			"that itself, have it write it elsewhere; wsgid waits "
			"ever longer before it reloads for such a change",
			PATIENCE + 1, c->path);
}

/* One of many children that have seen it is enough. */
void
changes_heard(struct master *m, const struct child *c, const char *path)
{
	struct changes *changes = &m->changes;

	if (!has_say(m, c) || !m->now->config->reload || m->reload_wanted ||
		is_old_news(m, path))
		return;
	if (!may_be_by_import(m))
		changes->in_a_row = 0;
	snprintf(changes->path, sizeof(changes->path), "%s", path);
	changes->due_ns = m->reload_since_ns + find_pause(changes);
	changes_turn(m);
}

void
changes_forget(struct master *m)
{
	m->changes.path[0] = '\0';
}

int64_t
changes_deadline(const struct master *m)
{
	return m->changes.path[0] != '\0' ? m->changes.due_ns : NEVER;
}

void
changes_turn(struct master *m)
{
	char why[CHANNEL_TEXT + 16];

	if (m->now_ns < changes_deadline(m))
		return;
	count_reload(&m->changes);
	snprintf(why, sizeof(why), "%s has changed", m->changes.path);
	changes_forget(m);
	restart_begin(m, false, why);
}
