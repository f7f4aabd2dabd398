/*
 * logs.h - the error log and the access logs' files.
 */
#ifndef WSGID_MASTER_LOGS_H
#define WSGID_MASTER_LOGS_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct child;
struct config;
struct err;
struct generation;
struct master;

/* Open the file for appending, 0640, close-on-exec; "-" duplicates
 * standard.  The descriptor or a negative errno. */
int logs_open(const char *directive, const char *target, int standard,
	struct err *err);
bool logs_is_journald(const struct config *c);

/* From now on the master writes to g's error log, at its level. */
void logs_use(const struct generation *g);

/* Reopen all files, the children's too. */
int logs_reopen(struct master *m, struct err *err);

/* Has the child access logs of before the last logs_reopen?  Only until it
 * hears of others; for as long as it lives, where it will not. */
enum logs_age { LOGS_NEW, LOGS_OLD_YET, LOGS_OLD };
enum logs_age logs_of_child(const struct master *m, const struct child *c);

/* Go on where the log did not take what there was to say. */
void logs_turn(struct master *m);
int64_t logs_deadline(const struct master *m);

/* The end of this program: what is not said yet has a last moment. */
void logs_finish(struct master *m);

/* Say the configuration's messages. */
void logs_say_messages(const struct config *c);
void logs_say_lines(struct buf *lines);

#endif
