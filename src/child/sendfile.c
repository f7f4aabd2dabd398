/*
 * sendfile.c - the body of a response that is a regular file.  See sendfile.h.
 *
 * sendfile(2) has no MSG_DONTWAIT, and io_uring wants its sockets blocking, so
 * the socket is made nonblocking around the call and no longer.  No operation
 * of the ring begins meanwhile: the ring is this thread's.
 */
#include "child/sendfile.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"
#include "base/log.h"
#include "child/connection.h"
#include "child/engine.h"
#include "child/send.h"
#include "child/spare.h"

enum {
	PIECE = 1024 * 1024,        /* a call, so that progress is seen */
	AT_ONCE = 16 * 1024 * 1024, /* then it is somebody else's turn */
};

/* 0 when the head is out, -EAGAIN when it is not, or another errno. */
static int
push_head(struct connection *c)
{
	while (c->part < c->n_parts) {
		struct msghdr message = {.msg_iov = &c->parts[c->part],
			.msg_iovlen = c->n_parts - c->part};
		ssize_t n = sendmsg(c->fd, &message,
			MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			send_count(c, (size_t)n);
	}
	return 0;
}

/* One call: bytes, or a negative errno. */
static ssize_t
push_piece(struct connection *c)
{
	struct sendfile *file = &c->file;
	size_t len = file->left < PIECE ? (size_t)file->left : PIECE;
	off_t offset = file->offset;
	ssize_t n;

	do
		n = sendfile(c->fd, file->fd, &offset, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENODATA; /* it has been cut since it was looked at */
	file->offset += n;
	file->left -= (uint64_t)n;
	c->bytes_out += (uint64_t)n;
	return n;
}

static int
push_file(struct connection *c)
{
	size_t sent = 0;
	ssize_t n = fd_set_nonblock(c->fd, true);

	while (n >= 0 && c->file.left > 0 && sent < AT_ONCE) {
		n = push_piece(c);
		sent += n > 0 ? (size_t)n : 0;
	}
	(void)fd_set_nonblock(c->fd, false);
	if (n >= 0)
		return c->file.left > 0 ? -EAGAIN : 0;
	return (int)n;
}

int
sendfile_push(struct engine *e, struct connection *c)
{
	int rc = c->error != 0 ? c->error : push_head(c);

	if (rc == 0)
		rc = push_file(c);
	if (rc == -EAGAIN)
		return rc;
	if (rc == -ENODATA)
		log_warnx("child",
			"a file has become shorter while it was sent: %llu "
			"bytes are missing, the connection is closed",
			(unsigned long long)c->file.left);
	if (rc < 0)
		c->error = rc;
	sendfile_end(e, c);
	return rc;
}

int
sendfile_begin(struct engine *e, struct connection *c, int fd, int64_t offset,
	uint64_t len)
{
	int rc;

	c->file = (struct sendfile){.exists = true,
		.fd = fd,
		.offset = offset,
		.left = len,
		.head = c->out};
	c->out = (struct buf){0};
	send_add(c, c->file.head.data, c->file.head.len);
	rc = sendfile_push(e, c);
	return rc == -EAGAIN ? 0 : rc;
}

void
sendfile_go_on(struct engine *e, struct connection *c)
{
	int rc = sendfile_push(e, c);

	if (rc == 0)
		connection_answered(e, c);
	else if (rc == -EAGAIN)
		send_wait_for_room(e, c);
	else
		connection_close(e, c);
}

uint64_t
sendfile_left(const struct connection *c)
{
	return c->file.exists ? c->file.left : 0;
}

void
sendfile_end(struct engine *e, struct connection *c)
{
	if (!c->file.exists)
		return;
	close(c->file.fd);
	spare_give(e, &c->file.head);
	c->file = (struct sendfile){0};
	c->part = c->n_parts = 0;
}
