/*
 * logs.c - the error log and the access logs' files.
 *
 * They are opened here, with the master's rights, and inherited: a child has
 * none to open them anew.  What children say is relay.c's.
 */
#include "master/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/links.h"
#include "base/log.h"
#include "config/config.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/journal.h"
#include "master/master_priv.h"
#include "master/relay.h"
#include "master/state.h"
#include "mpm/mpm.h"

enum {
	RETRY_MS = 100, /* where there is no descriptor to wait with */
	LAST_MS = 1000  /* for what is left at the end */
};

/* A FIFO would make us wait for its reader. */
static int
open_file(const char *path, struct err *err)
{
	int fd = links_open(path,
		O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0640,
		err);

	if (fd >= 0)
		(void)fd_set_nonblock(fd, false);
	return fd;
}

int
logs_open(const char *directive, const char *target, int standard,
	struct err *err)
{
	struct err why = {0};
	int fd;

	if (strcmp(target, "-") == 0) {
		fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			fd = -errno;
	} else {
		fd = open_file(target, &why);
	}
	if (fd == -ELOOP)
		return err_setx(err, ELOOP, "%s %s: %s", directive, target,
			why.text);
	if (fd == -ENXIO)
		return err_setx(err, ENXIO,
			"%s %s: that is a FIFO or a socket, and nobody reads "
			"from it",
			directive, target);
	if (fd < 0)
		return err_set(err, -fd, "%s %s", directive, target);
	return fd;
}

bool
logs_is_journald(const struct config *c)
{
	return c->error_log != NULL && strcmp(c->error_log, "journald") == 0;
}

void
logs_use(const struct generation *g)
{
	if (g->error_log >= 0)
		log_open(g->error_log, LOG_PLAIN);
	else if (logs_is_journald(g->config))
		log_open_records(journal_write);
	else
		log_open_standard();
	log_set_level((enum log_level)g->config->log_level);
}

int
logs_reopen(struct master *m, struct err *err)
{
	int rc = generation_reopen_logs(m->now, err);

	if (rc < 0)
		return rc;
	logs_use(m->now);
	child_tell_logs(m, m->now);
	if (m->next == NULL)
		return 0;
	rc = generation_reopen_logs(m->next, err);
	if (rc < 0)
		return rc;
	child_tell_logs(m, m->next);
	return 0;
}

enum logs_age
logs_of_child(const struct master *m, const struct child *c)
{
	if (c->life == LIFECYCLE_VACANT || m->now->n_logs == 0)
		return LOGS_NEW;
	if (child_obsolete(m, c))
		return LOGS_OLD;
	if (c->logs_ahead == 0)
		return LOGS_NEW;
	return c->channel.fd >= 0 ? LOGS_OLD_YET : LOGS_OLD;
}

/* --- a log that takes no lines ----------------------------------------------- */

/* There is room, or nobody reads there any more: master_turn follows. */
static void
has_room(struct master *m, struct source *s)
{
	master_forget(m, s);
}

/* With a descriptor of its own, as the log's may be closed by a reload. */
static void
await_room(struct master *m)
{
	int fd = fcntl(log_fd(), F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		(void)master_watch_room(m, &m->log_room, fd, has_room);
}

/* A reload may have opened another one meanwhile. */
static bool
awaits_another(const struct master *m)
{
	struct stat awaited, log;

	return m->log_room.fd >= 0 && fstat(m->log_room.fd, &awaited) == 0 &&
	       fstat(log_fd(), &log) == 0 &&
	       (awaited.st_dev != log.st_dev || awaited.st_ino != log.st_ino);
}

/* What is said in a turn may fill the log as well, so this comes last. */
void
logs_turn(struct master *m)
{
	log_flush();
	relay_go_on(m);
	if (m->log_room.fd >= 0 && (!log_waits() || awaits_another(m)))
		master_forget(m, &m->log_room);
	if (log_waits() && m->log_room.fd < 0)
		await_room(m);
}

int64_t
logs_deadline(const struct master *m)
{
	return log_waits() && m->log_room.fd < 0 ? m->now_ns + RETRY_MS * MS_NS
						 : NEVER;
}

void
logs_finish(struct master *m)
{
	int64_t until = clock_monotonic_ns() + LAST_MS * MS_NS, left;

	for (;;) {
		struct pollfd room = {.events = POLLOUT};

		log_flush();
		relay_finish(m);
		left = until - clock_monotonic_ns();
		if (!log_waits() || left <= 0)
			return;
		room.fd = log_fd();
		(void)poll(&room, 1, (int)((left + MS_NS - 1) / MS_NS));
	}
}

/* --- what there is to say ----------------------------------------------------- */

void
logs_say_messages(const struct config *c)
{
	const struct config_message *message;

	for (size_t i = 0; (message = config_message(c, i)) != NULL; i++) {
		if (message->fatal)
			log_errorx("config", "%s", message->text);
		else
			log_warnx("config", "%s", message->text);
	}
}

void
logs_say_lines(struct buf *lines)
{
	char *rest = (char *)(uintptr_t)buf_text(lines), *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			log_warnx("master", "%s", line);
}
