/*
 * layout.c - where things are in the scoreboard's files, and which bytes may
 * be in its texts.
 *
 * The structs of the public header have no padding inside, which is checked
 * here: a reader in another language computes the same offsets without a
 * compiler.  Workers begin on a cache line of their own, so that what the
 * child's watcher writes in the page does not slow its workers down.
 */
#include "scoreboard/scoreboard_priv.h"

#include <string.h>

#include "base/defs.h"
#include "base/printable.h"
#include "base/str.h"
#include "scoreboard/scoreboard.h"

enum { CACHE_LINE = 64 };

_Static_assert(sizeof(struct wsgid_board) ==
		       1232 + 3 * 1136 + 8 + 4096 + 8 + 256 + 8,
	"layout of version 1.10");
_Static_assert(sizeof(struct wsgid_process) == 96, "layout of version 1.1");
_Static_assert(sizeof(struct wsgid_page) == 112 + 3 * 1136 + 16 + 8,
	"layout of version 1.10");
_Static_assert(sizeof(struct wsgid_worker) == 424, "layout of version 1.6");

static size_t
round_up(size_t n)
{
	return (n + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

struct scoreboard_layout
scoreboard_layout(unsigned processes, unsigned workers)
{
	struct scoreboard_layout l = {
		.process_offset = round_up(sizeof(struct wsgid_board)),
		.process_size = sizeof(struct wsgid_process),
		.worker_offset = round_up(sizeof(struct wsgid_page)),
		.worker_size = sizeof(struct wsgid_worker),
	};

	l.board_size = l.process_offset + l.process_size * processes;
	l.page_size = l.worker_offset + l.worker_size * workers;
	return l;
}

static void
put(char *to, size_t size, struct str text, const char *allowed)
{
	size_t len = printable_cut(text.p, text.len, size - 1);

	if (len > 0)
		memcpy(to, text.p, len);
	to[printable_clean(to, len, allowed)] = '\0';
}

void
scoreboard_put_text(char *to, size_t size, const char *text, size_t len)
{
	if (size > 0)
		put(to, size, (struct str){text, len}, "");
}

void
scoreboard_put_lines(char *to, size_t size, const char *text, size_t len)
{
	const char *end;

	/* Its end matters, from a whole line on. */
	if (len > size - 1) {
		text += len - (size - 1);
		len = size - 1;
		end = memchr(text, '\n', len);
		if (end != NULL) {
			len -= (size_t)(end + 1 - text);
			text = end + 1;
		}
	}
	put(to, size, (struct str){text, len}, "\n\t");
}

/* In place, and cut where its end is missing. */
static void
clean(char *text, size_t size, const char *allowed)
{
	size_t len = strnlen(text, size);

	len = printable_cut(text, len, size - 1);
	text[printable_clean(text, len, allowed)] = '\0';
}

static void
clean_text(char *text, size_t size)
{
	clean(text, size, "");
}

void
scoreboard_clean_board(struct wsgid_board *board)
{
	clean_text(board->name, sizeof(board->name));
	clean_text(board->version, sizeof(board->version));
	clean_text(board->mpm, sizeof(board->mpm));
	clean_text(board->accept, sizeof(board->accept));
	clean_text(board->python, sizeof(board->python));
	clean_text(board->application, sizeof(board->application));
	clean_text(board->listeners, sizeof(board->listeners));
	clean_text(board->config_file, sizeof(board->config_file));
	clean_text(board->reload_reason, sizeof(board->reload_reason));
	clean(board->reload_log, sizeof(board->reload_log), "\n\t");
}

void
scoreboard_clean_page(struct wsgid_page *page)
{
	clean_text(page->io_engine, sizeof(page->io_engine));
}

void
scoreboard_clean_worker(struct wsgid_worker *worker)
{
	static const char states[] = ".S_RWKLCGI";

	if (worker->state == 0)
		worker->state = WSGID_WORKER_DEAD;
	else if (worker->state > '~' ||
		 strchr(states, (int)worker->state) == NULL)
		worker->state = WSGID_WORKER_UNKNOWN;
	clean_text(worker->client, sizeof(worker->client));
	clean_text(worker->method, sizeof(worker->method));
	clean_text(worker->target, sizeof(worker->target));
	clean_text(worker->query, sizeof(worker->query));
}
