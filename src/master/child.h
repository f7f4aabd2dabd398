/*
 * child.h - what passes between the master and one child.
 */
#ifndef WSGID_MASTER_CHILD_H
#define WSGID_MASTER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mpm/mpm.h"

struct channel_message;
struct child;
struct generation;
struct master;
struct source;

/* From "leave now" to SIGKILL, whoever says it; and at most so much of the
 * time that children have to finish in is for leaving. */
enum { CHILD_STOP_MS = 2000 };
/* The same of one that is not ready. */
enum { IMPORT_STOP_MS = 500 };

void child_happened(
	struct master *m, struct child *c, enum lifecycle_event event);

/* Tell it to finish within timeout_ms, 0 = no limit; then it is killed.  One
 * that was told before may get less time, and never more. */
void child_retire(struct master *m, struct child *c, int64_t timeout_ms);

/* Tell all of a generation that its access logs, or its log level, have
 * changed. */
void child_tell_logs(struct master *m, const struct generation *g);
void child_tell_log_level(struct master *m, const struct generation *g);
void child_tell_failure(
	struct master *m, const struct generation *g, const char *reason);

/* Tell it to leave now; it is killed when it has not after patience_ms. */
void child_stop(struct master *m, struct child *c, int64_t patience_ms);

/* The living child with this pid, or NULL. */
struct child *child_of_pid(const struct master *m, pid_t pid);

/* It has said that it cannot serve, and why. */
void child_cannot_serve(struct master *m, struct child *c, const char *text);

/* It runs, and is useless: its death is one that nobody had told it, so that
 * whoever waits for it hears of it.  error is a negative errno. */
void child_cannot_be_watched(struct child *c, int error);

/* Its channel is readable. */
void child_speaks(struct master *m, struct source *s);

/* So many messages at most are heard in a turn. */
enum { MESSAGES_A_TURN = 8 };
/* More than a channel holds.  Whoever has died has sent no more than that; a
 * process that he has started may have his end still, and never stop. */
enum { LAST_MESSAGES = 1024 };

/* Call hear for each message that has come, of so many at most; what makes no sense
 * is of no kind.  Who has closed the channel has a moment to end. */
void child_listen(struct master *m, struct child *c, int most,
	void (*hear)(struct master *m, struct child *c,
		const struct channel_message *message));

/* It is dead: hear all that it has sent, and close its channel. */
void child_last_words(struct master *m, struct child *c);

/* Its deadline has passed. */
void child_due(struct master *m, struct child *c);

/* Have a process write the Python stacks of its threads; when that is over. */
enum { STACKS_MS = 250 };
int64_t child_ask_where(const struct master *m, pid_t pid);

/* Alive and not told to go: what serves, or soon will. */
bool child_active(const struct child *c);
bool child_obsolete(const struct master *m, const struct child *c);

/* Has it ended as we told it to, however that was?  Who has left by itself may have
 * crashed on the way. */
bool child_went_as_told(const struct child *c);

/* Has it ended as no child ends by itself: by a signal, or by os._exit in a request
 * or behind one, whatever the status?  Of one that has died, with its deeds. */
bool child_has_crashed(const struct child *c, int wait_status);
/* Has it ended by a status that a child of its own accord has only when it was told
 * to go? */
bool child_left_quietly(const struct child *c, int wait_status);

#endif
