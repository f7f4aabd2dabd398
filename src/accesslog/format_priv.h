#ifndef WSGID_ACCESSLOG_FORMAT_PRIV_H
#define WSGID_ACCESSLOG_FORMAT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/record.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct log_op;
struct log_time;

/* Append what op says about the record.  Shortage of memory is noticed at
 * the end of the line, by buf_failed. */
typedef void log_writer(
	const struct log_op *op, const struct record *record, struct buf *out);

/* One step of a program. */
struct log_op {
	log_writer *write;
	struct str text;       /* of a literal, or the item's argument */
	struct log_time *time; /* of %t */

	bool late;   /* not known before the response is out */
	bool quoted; /* of JSON, within a string */

	/* "-" is written unless the record's status is one of these, or is
	 * none of them; always when there are none. */
	const int *statuses;
	size_t n_statuses;
	bool negated;
};

/* What argument an item takes. */
enum log_argument {
	LOG_ARGUMENT_WORD, /* exactly the row's word; "" = none */
	LOG_ARGUMENT_NAME, /* the name of a header or cookie */
	LOG_ARGUMENT_TIME, /* none, or what log_time_create understands */
};

/* An item as the administrator writes it; a letter may have several rows. */
struct log_item {
	char letter;
	enum log_argument argument;
	const char *word;
	log_writer *write;
};

/* items.c */
extern const struct log_item log_items[];
extern const size_t log_n_items;
/* Is what it writes not known before all of the response is out? */
bool log_is_late(log_writer *write);
void log_write_literal(
	const struct log_op *op, const struct record *record, struct buf *out);
void log_write_response_header(
	const struct log_op *op, const struct record *record, struct buf *out);

/* escape.c: s with what could break a line or a quoted string in Apache's
 * escapes. */
void log_escape(struct buf *out, struct str s);

/* user.c: append the name in the value of Authorization, which is not verified.
 * False, and to is of no use, where there is none. */
bool log_find_user(struct str authorization, struct buf *to);

/* json.c: does this text of a format begin a JSON object?  Then what each item
 * writes, line from start on, is made fit for it; quoted: within a string, where
 * nothing is "-" and not null.  And is what follows literal text, before which it
 * was, or was not? */
bool log_is_json(const char *text);
void log_make_json(struct buf *line, size_t start, bool quoted);
bool log_json_quotes(struct str text, bool quoted);

/* time.c: the argument of %t made ready; -EINVAL, or -ENOMEM. */
int log_time_create(struct log_time **ret, struct arena *a, struct str text);
/* Does it ask for the end of the response? */
bool log_time_is_late(const struct log_time *t);
void log_write_time(
	const struct log_op *op, const struct record *record, struct buf *out);

enum { LOG_NUMBER_MAX = 20 };

/* items.c: a decimal number with at least so many digits, at most
 * LOG_NUMBER_MAX. */
void log_write_number(struct buf *out, unsigned long long n, size_t width);

#endif
