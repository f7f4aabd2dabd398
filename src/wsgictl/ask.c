/*
 * ask.c - one request to a master.  See ask.h.
 */
#include "wsgictl/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "wsgictl/instance.h"

#define MS_NS INT64_C(1000000)

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
			"the master of %s (pid %d) takes no more callers: it "
			"is busy, or stopped",
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

static int
connect_to(const struct instance *i, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "control socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = errno;

		close(fd);
		return cannot_connect(i, code, err);
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

int
ask_open(struct ask *ret, const struct instance *i, const char *const *words,
	struct err *err)
{
	struct ask a = {.fd = connect_to(i, err)};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc;

	if (a.fd < 0)
		return a.fd;
	a.master = i->pid;
	if (getsockopt(a.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		peer.pid > 0)
		a.master = peer.pid;
	rc = send_words(&a, words);
	/* Closed already: that no answer comes will be heard. */
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET) {
		ask_close(&a);
		return err_set(err, -rc, "control socket %s", i->control);
	}
	*ret = a;
	return 0;
}

static char *
put_clean(char *to, struct str word)
{
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.p[i];

		*to++ = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
	}
	*to++ = '\0';
	return to;
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
	return 0;
}

/* The line that has arrived, taken out of the buffer: 1, 0 when there is
 * none yet, -EBADMSG. */
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
	return rc < 0 ? rc : 1;
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

int
ask_line(struct ask *a, int64_t ms, struct ask_answer *ret)
{
	int64_t end = clock_monotonic_ns() + (ms < 0 ? 0 : ms) * MS_NS;

	for (;;) {
		int64_t left = -1;
		int rc = take_line(a, ret);

		if (rc != 0)
			return rc;
		if (ms >= 0) {
			left = (end - clock_monotonic_ns() + MS_NS - 1) / MS_NS;
			if (left < 0)
				left = 0;
		}
		rc = receive(a, left > 60000 ? 60000 : (int)left);
		if (rc < 0)
			return rc;
		if (rc == 0 && ms >= 0 && clock_monotonic_ns() >= end)
			return 0;
	}
}

void
ask_close(struct ask *a)
{
	fd_close(&a->fd);
	buf_fini(&a->in);
}
