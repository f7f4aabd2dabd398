/*
 * relay.c - what children say.
 *
 * A child's standard output and error are one pipe each: whatever arrives
 * there, from print() or from C, is written to the error log as whole lines
 * with the child's pid.  The pipe outlives the child when the application
 * left processes behind, so it is no part of the child's slot.
 *
 * As long as the error log takes no lines nothing is read, so that who writes
 * much waits for who reads it, as if both had one pipe; and nothing of it is
 * lost.  The master's own lines go on, and are kept (base/outlet.h).
 *
 * A line that comes alone is read at once.  Where another one was read a moment
 * ago the pipe rests: nobody wakes us for it, and a moment later all that has
 * come is read.  So the master wakes up some hundred times a second, and not
 * for each line; and no line comes later by more than that moment.
 */
#include "master/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/printable.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/heritage.h"
#include "master/master_priv.h"
#include "master/said.h"
#include "master/stacks.h"
#include "master/state.h"
#include "master/template.h"
#include "net/channel.h"

enum {
	PIECE = 8000,       /* of a longer line; fits the log's line */
	READ = 16384,       /* at once */
	FULL = 65536,       /* a pipe that is so has who waits for us */
	DRAIN = 1024 * 1024 /* of a dead child's last words */
};

#define REST (2 * MS_NS)
/* So long stacks may come after they were asked for. */
#define STACKS_NS (5 * SECOND_NS)

struct relay {
	struct source source;
	struct relay *next;
	pid_t pid;
	bool held; /* not to be read: the log took no lines */
	bool last; /* words of a dead child: rather kept than said late */
	int64_t read_ns; /* when something was */
	int64_t rest_ns; /* at rest until then; NEVER: it is not */
	/* Which generation's application it imports; 0: not any more. */
	unsigned imports;
	/* A line without its end, always < PIECE; and before it, where it is
	 * held, those that were read already, < READ. */
	struct buf partial;
	/* Of the line that the next piece belongs to. */
	bool within_line;
	enum log_level level;
	char token[40];
	bool within_stack; /* the last line was of one: stacks.h */
	int64_t asked_ns;  /* until then they were asked for */
};

/* --- lines ------------------------------------------------------------------ */

static bool
is_tried(const struct master *m, unsigned generation)
{
	return heir_waits(m) ||
	       (m->next != NULL && generation == m->next->number);
}

static unsigned
imports(const struct master *m, pid_t pid)
{
	const struct child *t = template_of_pid(m, pid);
	const struct child *c = child_of_pid(m, pid);

	if (t != NULL && t->ready_ns == 0)
		return t->generation;
	return c != NULL && c->ready_ns == 0 ? c->generation : 0;
}

/* Whoever asked for a reload wants to see why it fails: the words of a child
 * that imports the application.  What matters later, too, is said by the first
 * one alone. */
static void
tell(struct master *m, const struct relay *r, struct str text)
{
	char line[CHANNEL_TEXT + 1];

	if (r->imports == 0)
		return;
	snprintf(line, sizeof(line), "%.*s",
		(int)printable_cut(text.p, text.len, CHANNEL_TEXT), text.p);
	if (is_tried(m, r->imports))
		said_line(m, "log", line);
	else
		CONTROL_TELL(m, "log", line);
}

static void
say_piece(struct master *m, struct relay *r, struct str piece, bool ends)
{
	struct str token, text = piece;

	if (!r->within_line) {
		log_parse_relayed(piece, &r->level, &token, &text);
		if (token.len >= sizeof(r->token))
			token.len = sizeof(r->token) - 1;
		memcpy(r->token, token.p, token.len);
		r->token[token.len] = '\0';
		if (text.p == piece.p && stacks_has(&r->within_stack, text))
			r->level = m->now_ns < r->asked_ns ? LOG_LEVEL_NOTICE
							   : LOG_LEVEL_ERROR;
	}
	if (text.len > 0 || !r->within_line)
		log_relayed(r->pid, r->level, str_of(r->token), text);
	tell(m, r, text);
	r->within_line = !ends;
}

static struct str
without_cr(struct str line)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool
may_say(const struct relay *r)
{
	return r->last ? log_has_room() : !log_waits();
}

/* How many bytes were said; 0 when there is no whole line. */
static size_t
say_first(struct master *m, struct relay *r, struct str rest)
{
	const char *end = rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
	size_t len = end != NULL ? (size_t)(end - rest.p) : rest.len;
	size_t piece = len > PIECE ? PIECE : len;
	/* What begins at the end of a piece goes on behind it. */
	size_t before = log_measure_relayed((struct str){rest.p, len});

	if (before < piece) {
		say_piece(m, r, (struct str){rest.p, before}, true);
		return before;
	}
	if (len > PIECE) {
		say_piece(m, r, (struct str){rest.p, PIECE}, false);
		return PIECE;
	}
	if (end == NULL)
		return 0;
	say_piece(m, r, without_cr((struct str){rest.p, len}), true);
	return len + 1;
}

/* As many as the log takes, and all when it need not take them. */
static void
say_lines(struct master *m, struct relay *r, bool all)
{
	size_t done = 0, n = 1;

	r->imports = imports(m, r->pid);
	log_gather(true);
	for (; n > 0 && (all || may_say(r)); done += n)
		n = say_first(m, r,
			(struct str){r->partial.data + done,
				r->partial.len - done});
	log_gather(false);
	buf_consume(&r->partial, done);
}

/* At the end of the pipe, or of us. */
static void
say_all(struct master *m, struct relay *r)
{
	say_lines(m, r, true);
	if (r->partial.len > 0)
		say_piece(m, r, (struct str){r->partial.data, r->partial.len},
			true);
	buf_clear(&r->partial);
}

/* --- pipes ------------------------------------------------------------------ */

static void
destroy(struct master *m, struct relay *r)
{
	struct relay **link = &m->relays;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	say_all(m, r);
	if (r->source.fd >= 0)
		master_forget(m, &r->source);
	buf_fini(&r->partial);
	free(r);
}

static void
hold(struct master *m, struct relay *r)
{
	if (!r->held)
		master_hold(m, &r->source);
	r->held = true;
	r->rest_ns = NEVER;
}

static void
rest(struct master *m, struct relay *r)
{
	master_hold(m, &r->source);
	r->rest_ns = m->now_ns + REST;
}

static void
heed(struct master *m, struct relay *r)
{
	if (r->held || r->rest_ns != NEVER)
		master_heed(m, &r->source);
	r->held = false;
	r->rest_ns = NEVER;
}

static bool
is_over(int n)
{
	return n == 0 ||
	       (n < 0 && n != -EAGAIN && n != -EINTR && n != -ENOMEM);
}

/* False when the log did not take all that there is. */
static bool
say_or_hold(struct master *m, struct relay *r)
{
	say_lines(m, r, false);
	if (!may_say(r))
		hold(m, r);
	return may_say(r);
}

/* What read(2) gives at once: more than 0, 0 at the end, or negative; -EAGAIN as
 * well when it is not to be read now. */
static int
read_some(struct master *m, struct relay *r)
{
	char *to;
	ssize_t n;

	if (!say_or_hold(m, r))
		return -EAGAIN;
	to = buf_reserve(&r->partial, READ);
	if (to == NULL)
		return -ENOMEM;
	n = read(r->source.fd, to, READ);
	if (n < 0)
		return -errno;
	r->partial.len += (size_t)n;
	r->read_ns = m->now_ns;
	(void)say_or_hold(m, r);
	return (int)n;
}

/* All that there is, if it is not more than most: 0 at the end of the pipe,
 * negative where there is no more now, else more than 0. */
static int
read_all(struct master *m, struct relay *r, int most)
{
	int sum = 0, n = 1;

	while (n > 0 && sum < most) {
		n = read_some(m, r);
		sum += n;
	}
	return n;
}

/* Who imports is heard before he says, another way, how that went. */
static void
go_on(struct master *m, struct relay *r, int n, bool often)
{
	if (is_over(n))
		destroy(m, r);
	else if (r->held)
		return;
	else if (often && n < 0 && r->imports == 0)
		rest(m, r);
	else
		heed(m, r);
}

static void
readable(struct master *m, struct source *s)
{
	struct relay *r = CONTAINER_OF(s, struct relay, source);
	bool often = m->now_ns - r->read_ns < REST;

	go_on(m, r, read_all(m, r, FULL), often);
}

void
relay_turn(struct master *m)
{
	struct relay *next;

	for (struct relay *r = m->relays; r != NULL; r = next) {
		int n;

		next = r->next;
		if (r->rest_ns > m->now_ns)
			continue;
		n = read_all(m, r, FULL);
		go_on(m, r, n, r->read_ns == m->now_ns);
	}
}

int64_t
relay_deadline(const struct master *m)
{
	int64_t next = NEVER;

	for (const struct relay *r = m->relays; r != NULL; r = r->next)
		if (r->rest_ns < next)
			next = r->rest_ns;
	return next;
}

int
relay_open(struct master *m, int fd, pid_t pid)
{
	struct relay *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL) {
		close(fd);
		return -ENOMEM;
	}
	/* Only our end: to the child the pipe must look as pipes do. */
	rc = fd_set_nonblock(fd, true);
	if (rc == 0)
		rc = master_watch(m, &r->source, fd, readable);
	else
		close(fd);
	if (rc < 0) {
		free(r);
		return rc;
	}
	r->pid = pid;
	r->rest_ns = NEVER;
	r->next = m->relays;
	m->relays = r;
	return 0;
}

static struct relay *
find(const struct master *m, pid_t pid)
{
	struct relay *r = m->relays;

	while (r != NULL && r->pid != pid)
		r = r->next;
	return r;
}

void
relay_expect_stacks(struct master *m, pid_t pid)
{
	struct relay *r = find(m, pid);

	if (r != NULL)
		r->asked_ns = m->now_ns + STACKS_NS;
}

void
relay_drain(struct master *m, pid_t pid)
{
	struct relay *r = find(m, pid);

	if (r == NULL)
		return;
	r->last = true;
	if (read_all(m, r, DRAIN) == 0)
		destroy(m, r);
	else
		r->last = false;
}

void
relay_go_on(struct master *m)
{
	for (struct relay *r = m->relays; r != NULL; r = r->next)
		if (r->held && say_or_hold(m, r))
			heed(m, r);
}

void
relay_finish(struct master *m)
{
	struct relay *next;

	for (struct relay *r = m->relays; r != NULL; r = next) {
		next = r->next;
		if ((r->held || r->rest_ns != NEVER) &&
			is_over(read_all(m, r, DRAIN)))
			destroy(m, r);
	}
}

/* A memory file of what was read and not said, or -1 when that is nothing. */
static int
write_begun(const struct relay *r)
{
	int fd;

	if (r->partial.len == 0)
		return -1;
	fd = memfd_create("wsgid-line", MFD_CLOEXEC);
	if (fd >= 0 && fd_write_all(fd, r->partial.data, r->partial.len) < 0)
		fd_close(&fd);
	return fd;
}

int
relay_bequeath(struct master *m, struct heritage *h)
{
	int rc = 0;

	for (struct relay *r = m->relays; rc == 0 && r != NULL; r = r->next) {
		struct heritage_output o = {
			r->source.fd, r->pid, write_begun(r)};

		rc = heritage_add_output(h, &o);
	}
	return rc;
}

static void
take_begun(struct master *m, struct relay *r, int fd)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;

	(void)fd_read_whole(fd, PIECE + READ, &text, &len);
	(void)buf_add(&r->partial, text, len);
	/* There may be no event. */
	hold(m, r);
}

void
relay_inherit(struct master *m, const struct heritage_output *o)
{
	int rc = relay_open(m, o->fd, o->pid);

	if (o->begun < 0)
		return;
	if (rc == 0)
		take_begun(m, m->relays, o->begun);
	close(o->begun);
}

void
relay_close_all(struct master *m)
{
	while (m->relays != NULL)
		destroy(m, m->relays);
}
