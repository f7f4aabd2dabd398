/*
 * ask.c - one request to a master.  See ask.h.
 */
#include "wsgictl/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/printable.h"
#include "wsgictl/instance.h"

enum {
	BEGIN_MS = 2000, /* for a master that runs to open its socket */
	LOOK_MS = 20,
};

int
ask_denied(const struct instance *i, struct err *err)
{
	char me[ACCOUNT_NAME], owner[ACCOUNT_NAME] = "somebody else";
	char group[ACCOUNT_NAME] = "";
	struct stat st;

	account_user_name(geteuid(), me);
	if (stat(i->control, &st) == 0) {
		account_user_name(st.st_uid, owner);
		/* ControlGroup's. */
		if ((st.st_mode & S_IWGRP) != 0)
			account_group_name(st.st_gid, group);
	}
	return err_setx(err, EACCES,
		"%s is the server of user %s, and you are %s: only %s%s%s%s "
		"may control it; try sudo",
		i->name, owner, me, owner,
		strcmp(owner, "root") == 0 ? "" : " or root",
		group[0] != '\0' ? " and members of group " : "", group);
}

static int
cannot_connect(const struct instance *i, int code, struct err *err)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return ask_denied(i, err);
	case EAGAIN:
		return err_setx(err, EAGAIN,
			"the master of %s (pid %d) takes no more callers, and "
			"has been told nothing: it is busy, or stopped",
			i->name, (int)i->pid);
	case ENOENT:
	case ECONNREFUSED:
		return err_setx(err, code,
			"%s (pid %d) runs, but nobody answers at its control "
			"socket %s; signals reach it: kill -TERM %d stops it",
			i->name, (int)i->pid, i->control, (int)i->pid);
	default:
		return err_set(err, code, "control socket %s", i->control);
	}
}

int64_t
ask_soon_ms(int64_t ms)
{
	return ms > 0 && ms < ASK_PATIENCE_MS ? ms : ASK_PATIENCE_MS;
}

/* A queue that is full of others is a matter of a moment: the call waits, and
 * fails with EAGAIN after soon_ms. */
static int
connect_within(int fd, const struct sockaddr_un *to, int64_t soon_ms)
{
	int64_t end_ns = clock_monotonic_ns() + soon_ms * MS_NS;
	int rc;

	do {
		int64_t us = (end_ns - clock_monotonic_ns()) / 1000;
		struct timeval limit = {.tv_usec = 1}; /* 0 is no limit */

		if (us > 0)
			limit = (struct timeval){us / 1000000, us % 1000000};
		(void)setsockopt(
			fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		rc = connect(fd, (const struct sockaddr *)to, sizeof(*to));
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : fd_set_nonblock(fd, true);
}

/* A master that begins, or executes itself anew, has its pid file before it has its
 * control socket. */
static int
connect_when_there(int fd, const struct sockaddr_un *to, pid_t master,
	int64_t there_ms, int64_t soon_ms)
{
	int64_t end_ns = clock_monotonic_ns() + there_ms * MS_NS;
	int rc;

	for (;;) {
		rc = connect_within(fd, to, soon_ms);
		if ((rc != -ENOENT && rc != -ECONNREFUSED) ||
			clock_monotonic_ns() >= end_ns ||
			(kill(master, 0) < 0 && errno == ESRCH))
			return rc;
		(void)poll(NULL, 0, LOOK_MS);
	}
}

static int
connect_to(const struct instance *i, int64_t there_ms, int64_t soon_ms,
	struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (i->control == NULL)
		return err_setx(err, ENOENT,
			"the run directory of the server with pid %d is not "
			"known, so it cannot be asked; name it with "
			"--run-directory, or send it a signal (kill -TERM %d)",
			(int)i->pid, (int)i->pid);
	if (strlen(i->control) >= sizeof(address.sun_path))
		return err_set(
			err, ENAMETOOLONG, "control socket %s", i->control);
	strcpy(address.sun_path, i->control);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, "control socket");
	rc = connect_when_there(fd, &address, i->pid, there_ms, soon_ms);
	if (rc < 0) {
		close(fd);
		return cannot_connect(i, -rc, err);
	}
	return fd;
}

static int
send_words(struct ask *a, const char *const *words)
{
	struct str all[CONTROL_WORDS];
	struct buf line = {0};
	size_t n = 0;
	ssize_t sent;
	int rc;

	while (n < CONTROL_WORDS && words[n] != NULL) {
		all[n] = str_of(words[n]);
		n++;
	}
	rc = control_encode(&line, all, n);
	if (rc == 0) {
		/* A line always fits the empty buffer of a socket. */
		sent = send(a->fd, line.data, line.len, MSG_NOSIGNAL);
		if (sent != (ssize_t)line.len)
			rc = sent < 0 ? -errno : -EPIPE;
	}
	buf_fini(&line);
	return rc;
}

static bool
is_owner(uid_t uid, const char *path)
{
	struct stat st;

	return path != NULL && stat(path, &st) == 0 && st.st_uid == uid;
}

/* Who else could have put a socket there, where others may write?  The pid is
 * another in another pid namespace, so whose the server's own files are counts,
 * too. */
static int
check_peer(struct ask *a, const struct instance *i, struct err *err)
{
	char user[ACCOUNT_NAME];
	struct ucred peer;
	socklen_t len = sizeof(peer);

	a->master = i->pid;
	if (getsockopt(a->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_set(err, errno, "control socket %s", i->control);
	if (peer.pid > 0)
		a->master = peer.pid;
	if (peer.uid == 0 || peer.pid == i->pid ||
		is_owner(peer.uid, i->has_pid_file ? i->pid_file : i->board))
		return 0;
	account_user_name(peer.uid, user);
	return err_setx(err, EPERM,
		"behind the control socket %s is process %d of user %s, and "
		"not the master of %s (pid %d): it is told nothing; see who "
		"may write to that directory",
		i->control, (int)peer.pid, user, i->name, (int)i->pid);
}

/* there_ms: until there is a socket. */
static int
open_within(struct ask *ret, const struct instance *i, const char *const *words,
	int64_t there_ms, int64_t effect_ms, struct err *err)
{
	struct ask a = {
		.begin_ns = clock_monotonic_ns(),
		.effect_ms = effect_ms,
	};
	int rc;

	a.fd = connect_to(i, there_ms, ask_soon_ms(effect_ms), err);
	if (a.fd < 0)
		return a.fd;
	a.end_ns = clock_monotonic_ns() + ASK_PATIENCE_MS * MS_NS;
	rc = check_peer(&a, i, err);
	if (rc < 0) {
		ask_close(&a);
		return rc;
	}
	rc = send_words(&a, words);
	/* Closed already: that no answer comes will be heard. */
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET) {
		ask_close(&a);
		return err_set(err, -rc, "control socket %s", i->control);
	}
	*ret = a;
	return 0;
}

int
ask_open(struct ask *ret, const struct instance *i, const char *const *words,
	int64_t effect_ms, struct err *err)
{
	int64_t soon_ms = ask_soon_ms(effect_ms);

	return open_within(ret, i, words,
		soon_ms < BEGIN_MS ? soon_ms : BEGIN_MS, effect_ms, err);
}

int
ask_open_at_once(struct ask *ret, const struct instance *i,
	const char *const *words, int64_t effect_ms, struct err *err)
{
	return open_within(ret, i, words, 0, effect_ms, err);
}

static char *
put_clean(char *to, struct str word)
{
	memcpy(to, word.p, word.len);
	to += printable_clean(to, word.len, "\t");
	*to++ = '\0';
	return to;
}

/* Who says anything else does not say it to us. */
static bool
is_ours(const struct ask_answer *l)
{
	static const char *const ends[] = {"ok", "error"};
	static const char *const told[] = {"version", "python", "reloading",
		"restarting", "upgrading", "before", "processes", "finishing",
		"within-ms", "now", "access-logs", "error-log", "behind",
		"log-level", "stacks", "warning", "mistake", "log", "ready",
		"replaced", "retired", "waiting", "cut-off", "listen-queue"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (strcmp(l->words[0], ends[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (strcmp(l->words[1], told[i]) == 0)
			return strcmp(l->words[0], "+") == 0;
	return false;
}

int
ask_parse(struct ask_answer *ret, struct str line)
{
	struct control_line decoded;
	char *to = ret->text;

	if (control_decode(&decoded, line) < 0)
		return -EBADMSG;
	ret->n = decoded.n;
	for (size_t i = 0; i < CONTROL_WORDS; i++) {
		ret->words[i] = i < decoded.n ? to : "";
		if (i < decoded.n)
			to = put_clean(to, decoded.words[i]);
	}
	return is_ours(ret) ? 0 : -EBADMSG;
}

static bool
is_turned_away(const struct ask_answer *l)
{
	return strcmp(l->words[0], "error") == 0 &&
	       strcmp(l->words[1], CONTROL_FULL) == 0;
}

/* It is heard, so what counts from here on is when it is done. */
static void
count(struct ask *a, size_t bytes, bool of_application)
{
	if (a->lines == 0)
		a->end_ns = a->effect_ms < 0
				    ? INT64_MAX
				    : a->begin_ns + a->effect_ms * MS_NS;
	a->lines++;
	*(of_application ? &a->log_bytes : &a->bytes) += bytes;
}

/* The line that has arrived, taken out of the buffer: 1, 0 when there is
 * none yet, -EBADMSG, -EMSGSIZE, -EUSERS. */
static int
take_line(struct ask *a, struct ask_answer *ret)
{
	const char *end =
		a->in.len > 0 ? memchr(a->in.data, '\n', a->in.len) : NULL;
	size_t len;
	int rc;

	if (end == NULL)
		return a->in.len >= CONTROL_LINE ? -EBADMSG : 0;
	len = (size_t)(end - a->in.data);
	rc = ask_parse(ret, (struct str){a->in.data, len});
	buf_consume(&a->in, len + 1);
	count(a, len + 1, rc == 0 && strcmp(ret->words[1], "log") == 0);
	if (a->bytes > ASK_BYTES || a->log_bytes > ASK_LOG_BYTES)
		return -EMSGSIZE;
	if (rc < 0)
		return rc;
	return is_turned_away(ret) ? -EUSERS : 1;
}

/* 1 when something came, 0 when the time is over. */
static int
receive(struct ask *a, int ms)
{
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	char *to = buf_reserve(&a->in, CONTROL_LINE);
	ssize_t n;
	int rc;

	if (to == NULL)
		return -ENOMEM;
	rc = poll(&p, 1, ms);
	if (rc == 0 || (rc < 0 && errno == EINTR))
		return 0;
	if (rc < 0)
		return -errno;
	n = recv(a->fd, to, CONTROL_LINE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	a->in.len += (size_t)n;
	return n > 0 ? 1 : -EPIPE;
}

/* In milliseconds, rounded up. */
static int
left_until(int64_t end_ns)
{
	int64_t left = end_ns - clock_monotonic_ns();

	if (left <= 0)
		return 0;
	if (left > 60000 * MS_NS)
		return 60000;
	return (int)((left + MS_NS - 1) / MS_NS);
}

/* What has come until the time is over is taken. */
int
ask_line(struct ask *a, int64_t ms, struct ask_answer *ret)
{
	int64_t end = clock_monotonic_ns() + ms * MS_NS;

	for (bool looked = false;; looked = true) {
		int rc = take_line(a, ret);
		int64_t now = clock_monotonic_ns();

		if (rc != 0)
			return rc;
		if (a->over)
			return -ETIMEDOUT;
		a->over = now >= a->end_ns;
		if (looked && now >= end && !a->over)
			return 0;
		rc = receive(a, left_until(end < a->end_ns ? end : a->end_ns));
		if (rc < 0)
			return rc;
	}
}

void
ask_close(struct ask *a)
{
	fd_close(&a->fd);
	buf_fini(&a->in);
}
