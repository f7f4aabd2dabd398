/*
 * log.h - the error log, one line a message.
 *
 * A line is assembled and written with one write(2), alone or with others that
 * were gathered, so lines of several processes do not mix.  Only roles log;
 * libraries return errors.  There is no log line in the path of a healthy
 * request but the access log's.
 *
 * Three shapes.  PLAIN is what people read:
 *   [Thu Nov 26 04:19:12.123456 2026] [master:notice] [pid 812] text
 * JOURNAL is for a standard error that systemd's journal reads, which has the
 * time by itself and takes the priority out of what comes first:
 *   <5>[master:notice] [pid 812] text
 * RELAY is what a child writes to the pipe that its master reads:
 *   <5>[child] text
 * behind log_mark, with syslog's numbers (3 error, 4 warn, 5 notice, 6 info, 7
 * debug); the
 * master takes it apart with log_parse_relayed and writes it with
 * log_relayed.  A line without that beginning came from the application.
 */
#ifndef WSGID_BASE_LOG_H
#define WSGID_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/defs.h"
#include "base/str.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,  /* a person must act */
	LOG_LEVEL_WARN = 4,   /* something was corrected or will bite */
	LOG_LEVEL_NOTICE = 5, /* the life of the server */
	LOG_LEVEL_INFO = 6,   /* the life of children */
	LOG_LEVEL_DEBUG = 7,
};

/* ASCII's record separator: nobody prints it by chance, so a line of ours is one
 * wherever it begins.  An application's may begin likewise, but without it; and as
 * it may print what a client has sent, a number that no client knows follows, which
 * children find in this variable of their environment. */
#define LOG_MARK   "\x1e"
#define LOG_SECRET "WSGID_LOG_SECRET"

/* For a master, before its children; not below 0.  Without one there is none. */
void log_set_secret(long long secret);
long long log_secret(void);
/* LOG_MARK and the number. */
const char *log_mark(void);

enum log_shape { LOG_PLAIN, LOG_JOURNAL, LOG_RELAY };

/* Where lines go and in which shape; fd stays the caller's.  Until this is
 * called they go to descriptor 2, PLAIN, at LOG_LEVEL_NOTICE.  With RELAY the
 * secret is the environment's. */
void log_open(int fd, enum log_shape shape);

/* Instead of lines: records, which are this function's.  The text is fit to be
 * shown and has at most 8 KiB, the token 32 bytes. */
void log_open_records(void (*write)(
	pid_t pid, enum log_level level, struct str token, struct str text));

/* Lines go to descriptor 2, in the shape that fits who reads it: the journal
 * says by $JOURNAL_STREAM which file it is. */
void log_open_standard(void);
bool log_is_journal(int fd);

/* From now on no line waits until somebody reads the log, where that is a pipe,
 * a socket or a terminal.  Lines that it does not take are kept, in order; when
 * there are too many, further ones are lost, and their number is said when it
 * takes lines again. */
void log_keep_lines(void);

/* Are lines kept?  Then poll(2) says of log_fd, which is not the caller's to
 * close, when log_flush has something to do. */
bool log_waits(void);
int log_fd(void);
void log_flush(void);
/* There is room to keep more of them, and as much again. */
bool log_has_room(void);
/* As outlet_gather, where lines are kept. */
void log_gather(bool gathers);

/* As outlet_bequeath and outlet_inherit. */
int log_bequeath(unsigned long *lost);
void log_inherit(int fd, unsigned long lost);

/* Messages less important than this are dropped. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* "error", "warn", ...; and back, -1 when it is none of them. */
const char *log_level_name(enum log_level level);
int log_level_of(const char *name);

/* token is the folder that speaks.  log_error and log_warn append errno's
 * text, those with an x do not. */
void log_error(const char *token, const char *format, ...) PRINTF(2, 3);
void log_errorx(const char *token, const char *format, ...) PRINTF(2, 3);
void log_warn(const char *token, const char *format, ...) PRINTF(2, 3);
void log_warnx(const char *token, const char *format, ...) PRINTF(2, 3);
void log_notice(const char *token, const char *format, ...) PRINTF(2, 3);
void log_info(const char *token, const char *format, ...) PRINTF(2, 3);
void log_debug(const char *token, const char *format, ...) PRINTF(2, 3);

/* What each line begins with that a child writes by itself, as it does with many
 * at once: log_mark, "<3>[app] " where its master takes them apart, nothing elsewhere.  Its
 * length, less than size, which is 48 at least. */
size_t log_begin_line(
	char *to, size_t size, enum log_level level, const char *token);

/* How much of a line, which is not empty, is what the application has written and
 * not ended, before one of ours. */
size_t log_measure_relayed(struct str line);

/* Take a child's line apart: the level and token that its beginning names,
 * or LOG_LEVEL_INFO and "app" where it has none.  *text is the rest. */
void log_parse_relayed(struct str line, enum log_level *level,
	struct str *token, struct str *text);

/* Write a line on behalf of process pid, in the shape of log_open.  It is
 * not filtered by level: that was the business of who made it. */
void log_relayed(
	pid_t pid, enum log_level level, struct str token, struct str text);

#endif
