/*
 * relay.c - what children say.
 *
 * A child's standard output and error are one pipe each: whatever arrives
 * there, from print() or from C, is written to the error log as whole lines
 * with the child's pid.  The pipe outlives the child when the application
 * left processes behind, so it is no part of the child's slot.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/printable.h"
#include "master/children.h"
#include "master/heritage.h"
#include "master/state.h"

enum {
	PIECE = 8000,       /* of a longer line; fits the log's line */
	READ = 16384,       /* at once */
	DRAIN = 1024 * 1024 /* of a dead child's last words */
};

struct relay {
	struct source source;
	struct relay *next;
	pid_t pid;
	struct buf partial; /* a line without its end, always < PIECE */
	/* Of the line that the next piece belongs to. */
	bool within_line;
	enum log_level level;
	char token[40];
};

/* --- lines ------------------------------------------------------------------ */

static bool
is_tried(const struct master *m, unsigned generation)
{
	return heir_waits(m) ||
	       (m->next != NULL && generation == m->next->number);
}

/* Whoever asked for a reload wants to see why it fails: the words of a child
 * that imports the application.  What matters later, too, is said by the first
 * one alone. */
static void
tell(struct master *m, const struct relay *r, struct str text)
{
	const struct template *t = template_of_pid(m, r->pid);
	const struct child *c = child_of_pid(m, r->pid);
	char line[CHANNEL_TEXT + 1];

	if ((t == NULL || t->ready_ns != 0) && (c == NULL || c->ready_ns != 0))
		return;
	snprintf(line, sizeof(line), "%.*s",
		(int)printable_cut(text.p, text.len, CHANNEL_TEXT), text.p);
	if (is_tried(m, t != NULL ? t->generation : c->generation))
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

static void
say_lines(struct master *m, struct relay *r)
{
	size_t done = 0;

	for (;;) {
		struct str rest = {
			r->partial.data + done, r->partial.len - done};
		const char *end =
			rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
		size_t len = end != NULL ? (size_t)(end - rest.p) : rest.len;

		if (len > PIECE) {
			say_piece(m, r, (struct str){rest.p, PIECE}, false);
			done += PIECE;
		} else if (end != NULL) {
			say_piece(m, r, without_cr((struct str){rest.p, len}),
				true);
			done += len + 1;
		} else {
			break;
		}
	}
	buf_consume(&r->partial, done);
}

/* --- pipes ------------------------------------------------------------------ */

static void
destroy(struct master *m, struct relay *r)
{
	struct relay **link = &m->relays;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	if (r->partial.len > 0)
		say_piece(m, r, (struct str){r->partial.data, r->partial.len},
			true);
	if (r->source.fd >= 0)
		master_forget(m, &r->source);
	buf_fini(&r->partial);
	free(r);
}

/* What read(2) gives at once: more than 0, 0 at the end, or negative. */
static int
read_some(struct master *m, struct relay *r)
{
	char *to = buf_reserve(&r->partial, READ);
	ssize_t n;

	if (to == NULL)
		return -ENOMEM;
	n = read(r->source.fd, to, READ);
	if (n < 0)
		return -errno;
	r->partial.len += (size_t)n;
	say_lines(m, r);
	return (int)n;
}

static void
readable(struct master *m, struct source *s)
{
	struct relay *r = CONTAINER_OF(s, struct relay, source);
	int n = read_some(m, r);

	if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR && n != -ENOMEM))
		destroy(m, r);
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
	r->next = m->relays;
	m->relays = r;
	return 0;
}

void
relay_drain(struct master *m, pid_t pid)
{
	struct relay *r = m->relays;
	int sum = 0, n = 1;

	while (r != NULL && r->pid != pid)
		r = r->next;
	if (r == NULL)
		return;
	while (n > 0 && sum < DRAIN) {
		n = read_some(m, r);
		sum += n;
	}
	if (n == 0)
		destroy(m, r);
}

int
relay_bequeath(struct master *m, struct heritage *h)
{
	int rc = 0;

	for (struct relay *r = m->relays; rc == 0 && r != NULL; r = r->next) {
		struct heritage_output o = {r->source.fd, r->pid};

		if (r->partial.len > 0)
			say_piece(m, r,
				(struct str){r->partial.data, r->partial.len},
				true);
		buf_clear(&r->partial);
		rc = heritage_add_output(h, &o);
	}
	return rc;
}

void
relay_close_all(struct master *m)
{
	while (m->relays != NULL)
		destroy(m, m->relays);
}
