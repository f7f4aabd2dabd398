/*
 * ask.h - one request to a master, over its control socket.
 *
 * The lines are control/control.h's.  A master that does not answer, because
 * it is stopped or very busy, costs its asker the time that it allows and
 * no more; and neither does somebody in its place who never comes to an end.
 */
#ifndef WSGID_WSGICTL_ASK_H
#define WSGID_WSGICTL_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "control/control.h"

struct err;
struct instance;

/* A line of the answer, its words as strings that may be shown: an
 * application's words go to a terminal. */
struct ask_answer {
	size_t n;
	const char *words[CONTROL_WORDS]; /* "" behind the last one */
	char text[CONTROL_LINE + CONTROL_WORDS];
};

struct ask {
	int fd;
	pid_t master; /* the process at the other end */
	struct buf in;
	int64_t begin_ns, end_ns; /* of the answer; INT64_MAX: it has no end */
	int64_t effect_ms;        /* what end_ns is made of at the first line */
	size_t lines, bytes;      /* that have come */
	size_t log_bytes;         /* beside these: words of an application */
	bool over;                /* nothing more is received */
};

enum {
	/* How long a master may take to say its first word; it never blocks,
	 * so that is much. */
	ASK_PATIENCE_MS = 10000,
	/* No master says so much about one request, however long; nor does an
	 * application while it is imported. */
	ASK_BYTES = 8 * 1024 * 1024,
	ASK_LOG_BYTES = 128 * 1024 * 1024,
};

/* How long to wait for a first word where ms is the limit, 0 or less if there
 * is none: no longer than ASK_PATIENCE_MS. */
int64_t ask_soon_ms(int64_t ms);

/* Connect, see who is there, and send the words, which end with NULL.  A place
 * in the master's queue is waited for as ask_soon_ms(effect_ms) has it, and a
 * socket that is missing no longer than a moment of that.  The
 * first line may take ASK_PATIENCE_MS; all of the answer effect_ms from now, -1
 * for as long as it takes.  0, or a negative errno and a sentence; -EACCES when
 * this user may not, -EPERM when somebody else is there than the server,
 * -EAGAIN when there was no place. */
int ask_open(struct ask *ret, const struct instance *i,
	const char *const *words, int64_t effect_ms, struct err *err);

/* The same, but a control socket that is missing is not waited for: for who can
 * do without an answer. */
int ask_open_at_once(struct ask *ret, const struct instance *i,
	const char *const *words, int64_t effect_ms, struct err *err);

/* The next line within ms.  1 with a line, 0 when the time is over, -ETIMEDOUT
 * when that of the whole answer is, -EPIPE when the master has closed, -EUSERS
 * when it takes no more callers, -EBADMSG for nonsense, -EMSGSIZE when it goes
 * on and on, or another negative errno. */
int ask_line(struct ask *a, int64_t ms, struct ask_answer *ret);

void ask_close(struct ask *a);

/* The sentence for who may not ask: whose server it is, and who may.
 * -EACCES. */
int ask_denied(const struct instance *i, struct err *err);

/* Take a line apart, without its newline.  0 or -EBADMSG. */
int ask_parse(struct ask_answer *ret, struct str line);

#endif
