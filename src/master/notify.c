/*
 * notify.c - the words that systemd understands.  See notify.h.
 *
 * A message is a datagram.  The library would wait for room in systemd's queue
 * of them, which all services share, and the server with it: so they are sent
 * here, and what there is no room for is kept.
 *
 * Without the library the calls stay and do nothing, so that nobody else
 * asks how wsgid was built.
 */
#include "master/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/fd.h"
#include "built_with.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_listen_fds_with_names(unset, names) \
	((void)(unset), *(names) = NULL, 0)
#define sd_watchdog_enabled(unset, ret) (0)
#define SD_LISTEN_FDS_START             3
#endif

enum {
	MOST = 64,    /* messages that wait: the oldest ones go */
	WORDS = 1024, /* bytes of one */
};

struct notify_message {
	struct notify_message *next;
	int fd; /* to be sent with it, or -1 */
	char text[];
};

static int
ms_until(int64_t until_ns)
{
	int64_t ms = (until_ns - clock_monotonic_ns() + MS_NS - 1) / MS_NS;

	return ms > 0 ? (int)ms : 0;
}

bool
notify_heard(void)
{
	return HAVE_SYSTEMD && getenv("NOTIFY_SOCKET") != NULL;
}

/* --- one message ------------------------------------------------------------- */

/* A socket that leads to systemd, or -1. */
static int
reach(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = path != NULL ? strlen(path) : 0;
	AUTO_CLOSE int fd = -1;

	if (!HAVE_SYSTEMD || len == 0 || len >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
		connect(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				    len)) < 0)
		return -1;
	return fd_take(&fd);
}

/* With a descriptor, unless it is -1.  False when there is no room for it: one
 * that cannot be sent at all is as good as sent. */
static bool
send_now(const char *text, int fd)
{
	AUTO_CLOSE int to = reach();
	struct iovec part = {(void *)text, strlen(text)};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (to < 0)
		return true;
	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM &&
		       errno != ETOOMANYREFS);
}

/* Until there is room, or that time. */
static void
wait_for_room(int64_t until_ns)
{
	AUTO_CLOSE int to = reach();
	struct pollfd p = {.fd = to, .events = POLLOUT};

	if (to >= 0)
		(void)poll(&p, 1, ms_until(until_ns));
}

/* --- what waits -------------------------------------------------------------- */

static void
drop_first(struct notify *n)
{
	struct notify_message *m = n->first;

	n->first = m->next;
	n->length--;
	fd_close(&m->fd);
	free(m);
}

static void
append(struct notify *n, const char *text, int fd)
{
	struct notify_message **link = &n->first, *m;

	if (n->length == MOST)
		drop_first(n);
	m = malloc(sizeof(*m) + strlen(text) + 1);
	if (m == NULL)
		return;
	m->next = NULL;
	m->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	strcpy(m->text, text);
	while (*link != NULL)
		link = &(*link)->next;
	*link = m;
	n->length++;
}

void
notify_turn(struct notify *n)
{
	while (n->first != NULL && send_now(n->first->text, n->first->fd))
		drop_first(n);
}

bool
notify_waits(const struct notify *n)
{
	return n->first != NULL;
}

void
notify_flush(struct notify *n, int64_t ms)
{
	int64_t until = clock_monotonic_ns() + ms * MS_NS;

	for (notify_turn(n); n->first != NULL; notify_turn(n)) {
		if (clock_monotonic_ns() >= until)
			break;
		wait_for_room(until);
	}
}

void
notify_fini(struct notify *n)
{
	while (n->first != NULL)
		drop_first(n);
}

/* --- words ------------------------------------------------------------------- */

/* Nothing overtakes what waits. */
static void
say(struct notify *n, const char *text, int fd)
{
	notify_turn(n);
	if (n->first != NULL || !send_now(text, fd))
		append(n, text, fd);
}

/* What is said again anyway is left unsaid when there is no room. */
static bool
mention(struct notify *n, const char *text)
{
	notify_turn(n);
	return n->first == NULL && send_now(text, -1);
}

static void
say_with_status(struct notify *n, const char *word, const char *status)
{
	char text[WORDS];

	snprintf(text, sizeof(text), "%s%s%s", word,
		status != NULL ? "\nSTATUS=" : "",
		status != NULL ? status : "");
	say(n, text, -1);
}

void
notify_ready(struct notify *n, const char *status)
{
	say_with_status(n, "READY=1", status);
}

/* The time must not be before that of the request, or systemd takes it for an
 * earlier reload's. */
void
notify_reloading(struct notify *n, const char *status)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)(clock_monotonic_ns() / 1000));
	say_with_status(n, text, status);
}

void
notify_stopping(struct notify *n, const char *status)
{
	say_with_status(n, "STOPPING=1", status);
}

void
notify_main_pid(struct notify *n, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "MAINPID=%d", (int)pid);
	say(n, text, -1);
}

bool
notify_status(struct notify *n, const char *status)
{
	char text[WORDS];

	snprintf(text, sizeof(text), "STATUS=%s", status);
	return mention(n, text);
}

bool
notify_extend(struct notify *n, int64_t us)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%lld", (long long)us);
	return mention(n, text);
}

bool
notify_alive(struct notify *n)
{
	return mention(n, "WATCHDOG=1");
}

void
notify_store(struct notify *n, int fd, const char *name)
{
	char text[WORDS];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	say(n, text, fd);
}

void
notify_unstore(struct notify *n, const char *name)
{
	char text[WORDS];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	say(n, text, -1);
}

/* systemd closes the end that it is given when it comes to this message. */
void
notify_barrier(struct notify *n, int64_t ms)
{
	int64_t until = clock_monotonic_ns() + ms * MS_NS;
	struct pollfd p;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	say(n, "BARRIER=1", ends[1]);
	close(ends[1]);
	notify_flush(n, ms);
	p = (struct pollfd){.fd = ends[0]};
	(void)poll(&p, 1, ms_until(until));
	close(ends[0]);
}

/* --- what systemd wants and gives -------------------------------------------- */

int64_t
notify_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)us : 0;
}

pid_t
notify_sockets_of(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	long other = pid != NULL ? strtol(pid, NULL, 10) : 0;

	if (!HAVE_SYSTEMD || n == NULL || strtol(n, NULL, 10) <= 0)
		return 0;
	return other != getpid() ? (pid_t)other : 0;
}

int
notify_passed_sockets(bool take, int *first, char ***names)
{
	*first = SD_LISTEN_FDS_START;
	return sd_listen_fds_with_names(take, names);
}
