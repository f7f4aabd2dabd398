/*
 * access_log.h - the child's access logs: a line a request, a write a turn.
 *
 * The descriptors are the master's work and are inherited; lines gather in a
 * buffer and go out, each whole, when the engine is about to wait.  That may
 * take long, where the other end is a pipe or a slow disk: so it is done
 * without the GIL, and when the answers are on their way.  Where the next request
 * takes long, the watcher does it meanwhile.
 */
#ifndef WSGID_CHILD_ACCESS_LOG_H
#define WSGID_CHILD_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/record.h"

struct access_log;
struct buf;
struct config;
struct err;

/* One log for each CustomLog of the configuration; fds are theirs, in that
 * order, and belong to *ret.  *ret is NULL when there is none.  0, or a negative
 * errno, and they are still the caller's. */
int access_log_create(struct access_log **ret, const struct config *config,
	const int *fds, size_t n_fds, struct err *err);
void access_log_destroy(struct access_log *log);

/* Does a format look at response headers? */
bool access_log_wants_headers(const struct access_log *log);

/* Gather a line; waits for nothing. */
void access_log_write(struct access_log *log, const struct record *record);
/* The same in two steps, for a response that is still going out: log_format_begin
 * and log_format_finish for each log.  0, or -ENOMEM and nothing is held. */
int access_log_begin(struct access_log *log, const struct record *record,
	struct buf *held);
void access_log_finish(struct access_log *log, const struct buf *held,
	const struct record *record);
/* Write what was gathered; NULL is allowed here and below. */
void access_log_flush(struct access_log *log);
/* From another thread: what nobody is writing goes to a file, or as far as a
 * pipe takes it without a wait. */
void access_log_flush_at_once(struct access_log *log);
/* Nothing waits to be written; or so much that it is time. */
bool access_log_is_empty(struct access_log *log);
bool access_log_is_full(struct access_log *log);

/* Go on with new descriptors (logs were reopened); the old are closed. */
void access_log_replace(struct access_log *log, const int *fds, size_t n_fds);

/* A log whose descriptor the application has closed, whatever has its number by
 * now: what it was, or -1.  Its lines are lost from then on; they would be written
 * into a file of the application's. */
int access_log_find_lost(struct access_log *log);

#endif
