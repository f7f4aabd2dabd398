/*
 * access_log.c - the child's access logs.  See access_log.h.
 */
#include "child/access_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
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
	bool failing; /* said so; say it again when it has worked between */
	struct log_format *format;
	struct buf lines;
	struct buf spare; /* in which lines are gathered next */
};

/* Workers add lines while one of them writes, which takes the locks in this
 * order. */
struct access_log {
	pthread_mutex_t writing; /* of descriptors and spare buffers */
	pthread_mutex_t lock;    /* of lines; held for some instructions */
	size_t n;
	bool wants_headers;
	struct target targets[];
};

int
access_log_create(struct access_log **ret, const struct config *config,
	const int *fds, size_t n_fds, struct err *err)
{
	size_t n = config->n_access_logs;
	struct access_log *log;

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
	for (size_t i = 0; i < n; i++) {
		int rc = log_format_compile(&log->targets[i].format,
			config->access_logs[i].format, err);

		log->targets[i].fd = fds[i];
		if (rc < 0) {
			access_log_destroy(log);
			return rc;
		}
		log->wants_headers |= log_format_wants_response_headers(
			log->targets[i].format);
	}
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
		buf_fini(&log->targets[i].spare);
	}
	free(log);
}

bool
access_log_wants_headers(const struct access_log *log)
{
	return log != NULL && log->wants_headers;
}

/* A full disk must not stop the service: lines are lost, and it is said once
 * for each time that it begins. */
static void
write_lines(struct target *t, const struct buf *lines)
{
	int rc = fd_write_all(t->fd, lines->data, lines->len);

	if (rc < 0 && !t->failing) {
		errno = -rc;
		log_warn("child", "access log: lines are lost");
	}
	t->failing = rc < 0;
}

static void
flush(struct access_log *log, struct target *t)
{
	struct buf lines;

	pthread_mutex_lock(&log->lock);
	lines = t->lines;
	t->lines = t->spare;
	pthread_mutex_unlock(&log->lock);
	if (lines.len > 0)
		write_lines(t, &lines);
	buf_clear(&lines);
	t->spare = lines;
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
	for (size_t i = 0; i < log->n; i++)
		if (log->targets[i].lines.len > most)
			most = log->targets[i].lines.len;
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
access_log_write(struct access_log *log, const struct record *record)
{
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < log->n; i++) {
		struct target *t = &log->targets[i];

		(void)log_format_write(t->format, record, &t->lines);
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
			log->targets[n].fd = fds[n];
		}
		pthread_mutex_unlock(&log->writing);
	}
	for (; n < n_fds; n++)
		close(fds[n]);
}
