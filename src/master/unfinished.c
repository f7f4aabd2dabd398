/*
 * unfinished.c - what a child was doing when it died, or was killed.
 *
 * How a child died does not say of what: the requests that its workers were in
 * do, mostly.  They stand in its page, which is cleared when it is buried, so they
 * are noted before and said behind its death.  The child has written them, and may
 * lie; the query, where secrets are, is left out.
 */
#include "master/unfinished.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "master/state.h"
#include "scoreboard/scoreboard.h"

enum { SAID = 8 }; /* further ones are counted */

/* Nothing where the child says what cannot be. */
static void
put_duration(int64_t begin_us, struct buf *to)
{
	int64_t us = begin_us > 0 ? clock_real_us() - begin_us : -1;

	if (us >= 0)
		buf_printf(to, ", for %.1f s", (double)us / 1e6);
}

/* The record still has the last one. */
static bool
has_not_begun(const struct wsgid_worker *w)
{
	return w->state == WSGID_WORKER_READ && w->begin_us <= w->end_us;
}

static void
note(const struct wsgid_worker *w, struct buf *to)
{
	if (has_not_begun(w)) {
		buf_add_text(to, "had a request that waited for the GIL\n");
		return;
	}
	buf_printf(to, "was in \"%s %s\" from %s", w->method, w->target,
		w->client[0] != '\0' ? w->client : "a unix: client");
	put_duration(w->begin_us, to);
	buf_add_char(to, '\n');
}

static void
note_all(const struct master *m, const struct child *c, struct buf *to)
{
	const struct wsgid_worker *workers =
		scoreboard_workers(m->scoreboard, c->slot, c->workers);
	unsigned n = 0;

	if (c->ready_ns == 0 || workers == NULL)
		return;
	for (unsigned i = 0; i < c->workers; i++)
		if (scoreboard_in_request(workers[i].state) && ++n <= SAID)
			note(&workers[i], to);
	if (n > SAID)
		buf_printf(to, "was in %u more\n", n - SAID);
}

static void
say_all(const struct child *c, struct buf *noted,
	void (*say)(const char *token, const char *format, ...)
		PRINTF(2, 3))
{
	char *rest = noted->len > 0 && !buf_failed(noted) ? noted->data : NULL;
	const char *end = rest != NULL ? rest + noted->len : NULL;

	while (rest < end) {
		size_t len = strcspn(rest, "\n");

		say("master", "child pid %d (slot %u) %.*s", (int)c->pid,
			c->slot, (int)len, rest);
		rest += len + 1;
	}
	buf_fini(noted);
}

void
unfinished_note(const struct master *m, const struct child *c, struct buf *to)
{
	if (!c->told)
		note_all(m, c, to);
}

void
unfinished_say(const struct child *c, struct buf *noted)
{
	say_all(c, noted, log_errorx);
}

void
unfinished_tell(const struct master *m, const struct child *c)
{
	struct buf noted = {0};

	note_all(m, c, &noted);
	say_all(c, &noted, log_warnx);
}
