/*
 * notify.h - the words that systemd understands, and what it hands over.
 *
 * One function a message; when to send which is service.c's.  None waits: what
 * systemd has no room for is sent when it has, in order, or, where it is said
 * again anyway, not at all.  All of this does nothing where systemd does not
 * listen, or where wsgid was built without its library.
 */
#ifndef WSGID_MASTER_NOTIFY_H
#define WSGID_MASTER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct notify_message;

/* What is still to be said: begins as zeroes. */
struct notify {
	struct notify_message *first;
	unsigned length;
};

/* Say what waits, as far as there is room; to be called every NOTIFY_RETRY_MS as
 * long as something does. */
void notify_turn(struct notify *n);
bool notify_waits(const struct notify *n);
enum { NOTIFY_RETRY_MS = 50 };
/* At the end: wait for room, for so long at most. */
void notify_flush(struct notify *n, int64_t ms);
void notify_fini(struct notify *n);

/* Does a service manager listen? */
bool notify_heard(void);

/* The start, or a reload, is over.  Here and below, status is what people are
 * shown, one line; NULL leaves it as it is. */
void notify_ready(struct notify *n, const char *status);
/* A reload begins, at this moment. */
void notify_reloading(struct notify *n, const char *status);
void notify_stopping(struct notify *n, const char *status);
/* Another process than it has started is the server's main one. */
void notify_main_pid(struct notify *n, pid_t pid);
/* These three are false when there was no room for them, and do not wait. */
bool notify_status(struct notify *n, const char *status);
/* What goes on may take so much longer, from now on. */
bool notify_extend(struct notify *n, int64_t us);

/* How long the manager waits for a sign of life; 0: it wants none. */
int64_t notify_watchdog_us(void);
/* The sign. */
bool notify_alive(struct notify *n);

/* Have the descriptor kept for the next start of the service, under a name, and
 * all of that name kept no more. */
void notify_store(struct notify *n, int fd, const char *name);
void notify_unstore(struct notify *n, const char *name);
/* Wait until all that was said is done, for so long at most. */
void notify_barrier(struct notify *n, int64_t ms);

/* The process that sockets were passed to when it is not this one; else 0. */
pid_t notify_sockets_of(void);
/* How many sockets were passed, from descriptor *first on, close-on-exec, and
 * their names, the caller's to free; the environment that told of them is
 * removed if they are taken.  0, or a negative errno. */
int notify_passed_sockets(bool take, int *first, char ***names);

#endif
