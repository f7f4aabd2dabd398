/*
 * access_log.c - the child's access logs.  See access_log.h.
 */
#include "child/access_log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "accesslog/format.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"

enum { FULL = 32 * 1024 }; /* a turn that has gathered so much ends */

struct target {
	int fd;
	dev_t device; /* what it is */
	ino_t inode;
	bool failing; /* said so; say it again when it has worked between */
	struct log_format *format;
	struct buf lines; /* gathered */
	struct buf out;   /* taken from there, and being written */
	bool flushing;    /* until all of it is out: nobody need wait for that */
};

/* Workers add lines while one of them, or the watcher, writes.  The locks are taken
 * in this order. */
struct access_log {
	pthread_mutex_t writing; /* of descriptors and what is in out */
	pthread_mutex_t lock;    /* of lines, of how much is in out, and of
	                          * flushing; held for some instructions */
	size_t n;
	bool wants_headers;
	struct target targets[];
};

/* The descriptors are the caller's still. */
static int
compile_formats(
	struct access_log *log, const struct config *config, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < log->n; i++)
		log->targets[i].fd = -1;
	for (size_t i = 0; rc == 0 && i < log->n; i++) {
		rc = log_format_compile(&log->targets[i].format,
			config->access_logs[i].format, err);
		if (rc == 0)
			log->wants_headers |= log_format_wants_response_headers(
				log->targets[i].format);
	}
	return rc;
}

static void
use(struct target *t, int fd)
{
	struct stat st = {0};

	(void)fstat(fd, &st);
	t->fd = fd;
	t->device = st.st_dev;
	t->inode = st.st_ino;
}

int
access_log_create(struct access_log **ret, const struct config *config,
	const int *fds, size_t n_fds, struct err *err)
{
	size_t n = config->n_access_logs;
	struct access_log *log;
	int rc;

	*ret = NULL;
	if (n == 0)
		return 0;
	if (n_fds != n)
		return err_setx(err, EPROTO,
			"%zu access logs were inherited, %zu are configured",
			n_fds, n);
	log = calloc(1, sizeof(*log) + n * sizeof(log->targets[0]));
	if (log == NULL)
		return err_set(err, ENOMEM, "CustomLog");
	pthread_mutex_init(&log->writing, NULL);
	pthread_mutex_init(&log->lock, NULL);
	log->n = n;
	rc = compile_formats(log, config, err);
	if (rc < 0) {
		access_log_destroy(log);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		use(&log->targets[i], fds[i]);
	*ret = log;
	return 0;
}

void
access_log_destroy(struct access_log *log)
{
	if (log == NULL)
		return;
	access_log_flush(log);
	pthread_mutex_destroy(&log->lock);
	pthread_mutex_destroy(&log->writing);
	for (size_t i = 0; i < log->n; i++) {
		fd_close(&log->targets[i].fd);
		log_format_destroy(log->targets[i].format);
		buf_fini(&log->targets[i].lines);
		buf_fini(&log->targets[i].out);
	}
	free(log);
}

bool
access_log_wants_headers(const struct access_log *log)
{
	return log != NULL && log->wants_headers;
}

/* Of what is in out, once it is written. */
static void
drop(struct access_log *log, struct target *t, size_t len)
{
	pthread_mutex_lock(&log->lock);
	buf_consume(&t->out, len);
	pthread_mutex_unlock(&log->lock);
}

/* A full disk must not stop the service: lines are lost, and it is said once
 * for each time that it begins. */
static void
write_out(struct access_log *log, struct target *t)
{
	int rc = fd_write_all(t->fd, t->out.data, t->out.len);

	if (rc < 0 && !t->failing) {
		errno = -rc;
		log_warn("child", "access log: lines are lost");
	}
	t->failing = rc < 0;
	drop(log, t, t->out.len);
}

/* Once all is written that was taken before. */
static void
take(struct access_log *log, struct target *t)
{
	struct buf lines;

	pthread_mutex_lock(&log->lock);
	lines = t->lines;
	t->lines = t->out;
	t->out = lines;
	pthread_mutex_unlock(&log->lock);
}

static void
show_flushing(struct access_log *log, struct target *t, bool flushing)
{
	pthread_mutex_lock(&log->lock);
	t->flushing = flushing;
	pthread_mutex_unlock(&log->lock);
}

static void
flush(struct access_log *log, struct target *t)
{
	show_flushing(log, t, true);
	if (t->out.len > 0)
		write_out(log, t);
	take(log, t);
	if (t->out.len > 0)
		write_out(log, t);
	show_flushing(log, t, false);
}

/* As many lines as a pipe takes in one piece. */
static size_t
find_piece(const struct buf *lines)
{
	const char *end;

	if (lines->len <= PIPE_BUF)
		return lines->len;
	end = memrchr(lines->data, '\n', PIPE_BUF);
	return end != NULL ? (size_t)(end + 1 - lines->data) : 0;
}

/* Between a look at a pipe and a write another child might fill it: so it is the
 * write that must not wait, which not every kernel knows of pipes. */
static bool
write_piece(struct access_log *log, struct target *t, size_t len)
{
	struct iovec piece = {t->out.data, len};
	ssize_t n = pwritev2(t->fd, &piece, 1, -1, RWF_NOWAIT);

	if (n <= 0)
		return false;
	drop(log, t, (size_t)n);
	return true;
}

/* What is neither a file nor a pipe, as a terminal, is left to the workers. */
static void
flush_at_once(struct access_log *log, struct target *t)
{
	struct stat st;
	size_t len;

	if (fstat(t->fd, &st) < 0)
		return;
	if (S_ISREG(st.st_mode)) {
		flush(log, t);
		return;
	}
	if (!S_ISFIFO(st.st_mode))
		return;
	if (t->out.len == 0)
		take(log, t);
	while ((len = find_piece(&t->out)) > 0)
		if (!write_piece(log, t, len))
			return;
}

static void
flush_all(struct access_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		flush(log, &log->targets[i]);
}

/* Of the log that has gathered most. */
static size_t
most_gathered(struct access_log *log)
{
	size_t most = 0;

	if (log == NULL)
		return 0;
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n; i++) {
		const struct target *t = &log->targets[i];
		size_t len = t->lines.len + (t->flushing ? 0 : t->out.len);

		if (len > most)
			most = len;
	}
	pthread_mutex_unlock(&log->lock);
	return most;
}

bool
access_log_is_empty(struct access_log *log)
{
	return most_gathered(log) == 0;
}

bool
access_log_is_full(struct access_log *log)
{
	return most_gathered(log) > FULL;
}

void
access_log_flush(struct access_log *log)
{
	if (log == NULL)
		return;
	pthread_mutex_lock(&log->writing);
	flush_all(log);
	pthread_mutex_unlock(&log->writing);
}

void
access_log_flush_at_once(struct access_log *log)
{
	if (access_log_is_empty(log) ||
		pthread_mutex_trylock(&log->writing) != 0)
		return;
	for (size_t i = 0; i < log->n; i++)
		flush_at_once(log, &log->targets[i]);
	pthread_mutex_unlock(&log->writing);
}

void
access_log_write(struct access_log *log, const struct record *record)
{
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n; i++) {
		struct target *t = &log->targets[i];

		(void)log_format_write(t->format, record, &t->lines);
	}
	pthread_mutex_unlock(&log->lock);
}

/* A program remembers the last time: it is one thread's, whatever it writes to. */
int
access_log_begin(struct access_log *log, const struct record *record,
	struct buf *held)
{
	int rc = 0;

	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n && rc == 0; i++)
		rc = log_format_begin(log->targets[i].format, record, held);
	pthread_mutex_unlock(&log->lock);
	if (rc < 0)
		buf_fini(held);
	return rc;
}

void
access_log_finish(struct access_log *log, const struct buf *held,
	const struct record *record)
{
	struct str left = {held->data, held->len};

	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n; i++) {
		struct target *t = &log->targets[i];

		(void)log_format_finish(t->format, &left, record, &t->lines);
	}
	pthread_mutex_unlock(&log->lock);
}

void
access_log_replace(struct access_log *log, const int *fds, size_t n_fds)
{
	size_t n = 0;

	if (log != NULL) {
		pthread_mutex_lock(&log->writing);
		flush_all(log);
		for (; n < n_fds && n < log->n; n++) {
			fd_close(&log->targets[n].fd);
			use(&log->targets[n], fds[n]);
		}
		pthread_mutex_unlock(&log->writing);
	}
	for (; n < n_fds; n++)
		close(fds[n]);
}

static bool
is_lost(const struct target *t)
{
	struct stat now;

	return t->fd >= 0 && (fstat(t->fd, &now) < 0 || now.st_dev != t->device ||
				     now.st_ino != t->inode);
}

int
access_log_find_lost(struct access_log *log)
{
	int lost = -1;

	/* While somebody writes he may wait for long: the next look sees it. */
	if (log == NULL || pthread_mutex_trylock(&log->writing) != 0)
		return -1;
	for (size_t i = 0; i < log->n; i++) {
		if (!is_lost(&log->targets[i]))
			continue;
		lost = log->targets[i].fd;
		log->targets[i].fd = -1;
	}
	pthread_mutex_unlock(&log->writing);
	return lost;
}
