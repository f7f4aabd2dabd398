/*
 * past.c - going on counting where a server that is gone has stopped.
 *
 * Its board is known by a descriptor, for its file may have no name any more.
 * Pages of children that it did not bury, because it was killed, may still
 * be beside the place of its board; where they are not, what these children had
 * counted is lost.  All of it is read before anything new is made there.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "scoreboard/scoreboard.h"
#include "scoreboard/scoreboard_priv.h"
#include "scoreboard/times.h"
#include "scoreboard/totals.h"

static void
read_slot(
	struct scoreboard_past *past, struct scoreboard_view *v, unsigned slot)
{
	struct wsgid_process *p = &past->processes[slot];
	struct wsgid_page page;

	scoreboard_read_process(v, slot, p);
	/* A page of nobody's is one that was buried. */
	if (p->pid == 0 || scoreboard_read_page(v, slot, &page) < 0)
		return;
	totals_add_page(p, &page);
	durations_add(&past->board.past_durations, &page.durations);
}

int
scoreboard_past_read(
	struct scoreboard_past *ret, int fd, const char *path, struct err *err)
{
	struct scoreboard_past past = {0};
	struct scoreboard_view *v;
	int rc = scoreboard_open_fd(&v, fd, path, err);

	if (rc < 0)
		return rc;
	scoreboard_read_board(v, &past.board);
	past.n = past.board.process_count;
	past.processes = calloc(past.n, sizeof(*past.processes));
	if (past.processes == NULL) {
		scoreboard_close(v);
		return err_set(err, ENOMEM, "scoreboard %s", path);
	}
	for (unsigned i = 0; i < past.n; i++)
		read_slot(&past, v, i);
	scoreboard_close(v);
	*ret = past;
	return 0;
}

/* The last slot counts for those that there are no more. */
void
scoreboard_past_add(const struct scoreboard_past *past, struct scoreboard *s)
{
	struct wsgid_board *b = scoreboard_board(s);
	const struct wsgid_board *before = &past->board;

	for (unsigned i = 0; i < past->n; i++) {
		unsigned slot = i < b->process_count ? i : b->process_count - 1;

		totals_add_process(
			scoreboard_process(s, slot), &past->processes[i]);
	}
	durations_add(&b->past_durations, &before->past_durations);
	totals_add(&b->children_started, before->children_started);
	totals_add(&b->children_crashed, before->children_crashed);
	b->templates_started += before->templates_started;
	b->counted_us =
		before->counted_us != 0 ? before->counted_us : before->start_us;
}

void
scoreboard_past_fini(struct scoreboard_past *past)
{
	free(past->processes);
	past->processes = NULL;
}
