/*
 * format.h - LogFormat: from the administrator's text to a program, and from
 * a program and a record to a line.
 *
 * Apache's language (mod_log_config); an item it does not know is an error
 * that names the item.  What a client controls is escaped as Apache does, so
 * that one request is one line; in a format that begins as a JSON object it is
 * escaped as JSON has it.
 *
 * A program remembers the last second's time as text, so it belongs to one
 * thread: each thread that writes lines compiles its own.
 */
#ifndef WSGID_ACCESSLOG_FORMAT_H
#define WSGID_ACCESSLOG_FORMAT_H

#include <stdbool.h>

#include "accesslog/record.h"
#include "base/buf.h"

struct err;
struct log_format;

/* Compile text.  0 and *ret, or -EINVAL with the item at fault and where it
 * stands in *err, or -ENOMEM. */
int log_format_compile(
	struct log_format **ret, const char *text, struct err *err);
void log_format_destroy(struct log_format *f);

/* Does the program look at response headers?  Then they must be kept. */
bool log_format_wants_response_headers(const struct log_format *f);

/* Append the record's line, newline included.  0, or -ENOMEM with nothing
 * appended. */
int log_format_write(const struct log_format *f, const struct record *record,
	struct buf *out);

/* The same in two steps, for a response that is still going out.  What is known of
 * it now is appended to held; the second takes that from the beginning of *held,
 * with a record of which only that counts: the status and begin_us as before, and
 * bytes_in, bytes_out, duration_us, aborted and kept_alive. */
int log_format_begin(const struct log_format *f, const struct record *record,
	struct buf *held);
int log_format_finish(const struct log_format *f, struct str *held,
	const struct record *record, struct buf *out);

#endif
