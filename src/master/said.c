/*
 * said.c - what is said while something new is tried.
 *
 * The mistakes of a new configuration, and the words of the process that
 * imports the application under it.  Whoever has asked for the reload reads
 * them as they come; for who wonders later why it failed, the end of them is
 * kept for the scoreboard, and the one who tries is perhaps a new master, which
 * tells the old one.
 */
#include "master/said.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/printable.h"
#include "control/control.h"
#include "master/control.h"
#include "master/control_priv.h"
#include "master/state.h"
#include "scoreboard/scoreboard.h"

enum {
	KEPT = sizeof(((struct wsgid_board *)NULL)->reload_log) - 1,
	/* In a line of the control socket, where each byte may become three. */
	PIECE = CONTROL_LINE / 3 - 16,
};

void
said_begin(struct master *m)
{
	buf_clear(&m->said);
}

/* The oldest lines make room. */
static void
forget(struct buf *said)
{
	while (said->len > KEPT) {
		const char *end = memchr(said->data, '\n', said->len);

		buf_consume(said, end != NULL ? (size_t)(end + 1 - said->data)
					      : said->len);
	}
}

void
said_line(struct master *m, const char *kind, const char *text)
{
	CONTROL_TELL(m, kind, text);
	buf_printf(&m->said, "%s\n", text);
	forget(&m->said);
}

/* Cut the first one off. */
static void
take_line(struct str *lines, char to[PIECE + 1])
{
	const char *end = memchr(lines->p, '\n', lines->len);
	size_t len = end != NULL ? (size_t)(end - lines->p) : lines->len;

	snprintf(to, PIECE + 1, "%.*s",
		(int)printable_cut(lines->p, len, PIECE), lines->p);
	len += end != NULL;
	lines->p += len;
	lines->len -= len;
}

void
said_lines(struct master *m, struct str lines)
{
	char line[PIECE + 1];

	while (lines.len > 0) {
		take_line(&lines, line);
		said_line(m, "log", line);
	}
}

void
said_again(const struct master *m, struct client *c)
{
	struct str rest = {m->said.data, m->said.len};
	char line[PIECE + 1];

	while (rest.len > 0) {
		take_line(&rest, line);
		LINE(c, "+", "log", line);
	}
}

/* As many whole lines as fit a piece, or the beginning of one. */
static size_t
piece_of(struct str text)
{
	const char *end;

	if (text.len <= PIECE)
		return text.len;
	end = memrchr(text.p, '\n', PIECE);
	return end != NULL ? (size_t)(end + 1 - text.p)
			   : printable_cut(text.p, text.len, PIECE);
}

void
said_each(const struct master *m,
	void (*call)(const struct master *m, struct str lines))
{
	struct str rest = {m->said.data, m->said.len};

	while (rest.len > 0) {
		size_t len = piece_of(rest);

		call(m, (struct str){rest.p, len});
		rest.p += len;
		rest.len -= len;
	}
}
