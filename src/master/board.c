/*
 * board.c - the master's part of the scoreboard.
 *
 * Written here and read nowhere in the master: it shows the state and is
 * not part of it.
 */
#include "master/board.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "built_with.h"
#include "config/config.h"
#include "master/census.h"
#include "master/child.h"
#include "master/door.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/heritage.h"
#include "master/mutex.h"
#include "master/say.h"
#include "master/state.h"
#include "master/template.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

static void
put(char *to, size_t size, const char *text)
{
	scoreboard_put_text(to, size, text, strlen(text));
}

/* By which wsgictl knows the server of a configuration: as it was named, since a link in
 * it may lead to the next release by now. */
static void
show_config_file(struct wsgid_board *b, const char *file)
{
	char path[PATH_MAX];

	if (file != NULL && file[0] != '/')
		file = realpath(file, path);
	if (file != NULL && strlen(file) < sizeof(b->config_file))
		put(b->config_file, sizeof(b->config_file), file);
}

int
board_create(struct master *m, struct err *err)
{
	const struct scoreboard_order order = {
		.dir = m->run.path,
		.file = m->now->config->score_board_file,
		.name = m->name,
		.processes = m->n_slots,
		.workers = (unsigned)m->now->config->thread_limit,
		.group = door_group(m->now->config),
		.predecessor = heir_waits(m) ? m->heritage->from : 0,
		.past = m->store.board > 0 ? m->store.board : 0,
	};
	struct wsgid_board *b;
	int rc = scoreboard_create(&m->scoreboard, &order, err);

	if (rc == -EPERM && order.group != 0) {
		door_no_member(m->now->config, err);
		err_at(err, config_where(m->now->config, "ControlGroup"));
		return rc;
	}
	if (rc < 0) {
		err_at(err, config_where(m->now->config, "ScoreBoardFile"));
		return rc;
	}
	fd_close(&m->store.board);
	b = scoreboard_board(m->scoreboard);
	b->master_pid = (int32_t)getpid();
	b->start_us = b->restart_us = clock_real_us();
	put(b->name, sizeof(b->name), m->name);
	put(b->version, sizeof(b->version), "wsgid/" WSGID_VERSION);
	put(b->mpm, sizeof(b->mpm), config_mpm_name(m->now->config));
	show_config_file(b, m->now->config->file);
	board_show_generation(m);
	return 0;
}

static void
show_accept(const struct master *m, struct wsgid_board *b)
{
	const struct generation *g = m->now;
	struct buf text = {0};

	buf_printf(&text, "%s, mutex %s",
		g->n_buckets > 1 ? "set of a bucket"
		: g->set >= 0    ? "shared set"
				 : "one listener",
		mutex_unneeded(m, g) ? "not needed" : mutex_name(m));
	scoreboard_put_text(b->accept, sizeof(b->accept), text.data, text.len);
	buf_fini(&text);
}

void
board_show_generation(struct master *m)
{
	struct wsgid_board *b = scoreboard_board(m->scoreboard);
	const struct config *c = m->now->config;
	struct buf listeners = {0};

	b->generation = m->now->number;
	b->deadlock_us = c->deadlock_timeout * 1000;
	b->max_request_workers = (uint32_t)census_worker_limit(m);
	put(b->python, sizeof(b->python), m->python);
	say_listeners(m->now, &listeners);
	scoreboard_put_text(b->listeners, sizeof(b->listeners), listeners.data,
		listeners.len);
	buf_fini(&listeners);
	show_accept(m, b);
	if (c->application != NULL)
		put(b->application, sizeof(b->application), c->application);
	board_show_template(m);
	board_touch(m);
}

void
board_show_child(struct master *m, const struct child *c)
{
	static const uint32_t shown[LIFECYCLE_STATES] = {
		[LIFECYCLE_VACANT] = WSGID_PROCESS_VACANT,
		[LIFECYCLE_STARTING] = WSGID_PROCESS_STARTING,
		[LIFECYCLE_READY] = WSGID_PROCESS_READY,
		[LIFECYCLE_DRAINING] = WSGID_PROCESS_DRAINING,
		[LIFECYCLE_STOPPING] = WSGID_PROCESS_STOPPING,
	};
	struct wsgid_board *b = scoreboard_board(m->scoreboard);
	struct wsgid_process *p = scoreboard_process(m->scoreboard, c->slot);
	int64_t now = clock_real_us();

	p->lifecycle = shown[c->life];
	switch (c->life) {
	case LIFECYCLE_STARTING:
		p->pid = (int32_t)c->pid;
		p->generation = c->generation;
		p->workers = c->workers;
		p->forked_us = now;
		p->ready_us = p->told_us = 0;
		b->children_started++;
		break;
	case LIFECYCLE_READY:
		p->ready_us = now;
		break;
	case LIFECYCLE_DRAINING:
	case LIFECYCLE_STOPPING:
		if (p->told_us == 0)
			p->told_us = now;
		break;
	case LIFECYCLE_VACANT:
		p->pid = 0;
		p->died_us = now;
		break;
	case LIFECYCLE_STATES:
		break;
	}
	b->updated_us = now;
}

void
board_show_birth(struct master *m, const struct child *c)
{
	scoreboard_process(m->scoreboard, c->slot)->pid = (int32_t)c->pid;
	board_touch(m);
}

/* The one that forks, or will: of the newest generation that has one. */
void
board_show_template(struct master *m)
{
	struct wsgid_board *b = scoreboard_board(m->scoreboard);
	const struct child *t = m->templates;

	while (t != NULL && (t->told || t->generation != m->now->number))
		t = t->next;
	b->template_pid = t != NULL ? (int32_t)t->pid : 0;
	b->updated_us = clock_real_us();
}

void
board_show_death(struct master *m, const struct child *c, int status)
{
	struct wsgid_board *b = scoreboard_board(m->scoreboard);

	scoreboard_process(m->scoreboard, c->slot)->last_status = status;
	b->children_crashed += child_has_crashed(c, status);
}

/* The result last: a reader copies the board from its beginning, so that who
 * sees how it ended sees the rest of it, too. */
void
board_show_reload(struct master *m, uint32_t result, const char *reason)
{
	struct wsgid_board *b = scoreboard_board(m->scoreboard);

	if (result == WSGID_RELOAD_RUNNING) {
		b->reload_begin_us = clock_real_us();
		b->reload_end_us = 0;
	} else {
		b->reload_end_us = clock_real_us();
	}
	scoreboard_put_lines(b->reload_log, sizeof(b->reload_log), m->said.data,
		result == WSGID_RELOAD_FAILED ? m->said.len : 0);
	put(b->reload_reason, sizeof(b->reload_reason), reason);
	__atomic_store_n(&b->reload_result, result, __ATOMIC_RELEASE);
	board_touch(m);
}

void
board_show_stop(struct master *m)
{
	scoreboard_board(m->scoreboard)->stopping_us = clock_real_us();
	board_touch(m);
}

void
board_touch(struct master *m)
{
	struct wsgid_board *b = scoreboard_board(m->scoreboard);

	b->throttled = throttle_delay(&m->throttle, m->now_ns) > 0;
	b->updated_us = clock_real_us();
}
