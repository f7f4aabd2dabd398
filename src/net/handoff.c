/*
 * handoff.c - giving a connection to whichever sibling is idle.
 *
 * A connected SEQPACKET pair is bounded by its send buffer and not by
 * max_dgram_qlen; SEND_BUFFER holds some ten thousand idle connections.
 * Descriptors under way are counted for each user, and an unprivileged one
 * with a low RLIMIT_NOFILE meets ETOOMANYREFS first: that is "full" as well.
 */
#include "net/handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

/* "WSH" and the version. */
enum { MAGIC = 0x57534805 };

enum {
	SEND_BUFFER = 4 * 1024 * 1024,
	SPILLED_MAX = 64 * 1024 * 1024,
	FDS_MAX = 3, /* the connection, a memfd with its bytes, a spool */
};

struct record {
	uint32_t magic;
	uint32_t requests;
	int64_t deadline_ns;
	int64_t since_ns;
	struct handoff_peer peer;
	int64_t began_ns;
	uint64_t part_bytes;
	uint64_t spool_len; /* of the last descriptor, if it is not 0 */
	uint32_t part;
	uint32_t reserved;
	uint32_t bytes;   /* behind the record, or in the second descriptor */
	uint32_t spilled; /* 0 or 1 */
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

struct handoff
handoff_of_client(int fd, uint8_t awaits, bool tls)
{
	return (struct handoff){
		.fd = fd,
		.deadline_ns = INT64_MAX,
		.peer.awaits = awaits,
		.peer.tls = tls,
	};
}

int
handoff_pair(int *give, int *take)
{
	int fds[2], size = SEND_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0, fds) < 0)
		return -errno;
	/* Root may pass the system's limit; others get what there is. */
	if (setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size,
		    sizeof(size)) < 0)
		(void)setsockopt(
			fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*give = fds[0];
	*take = fds[1];
	return 0;
}

unsigned
handoff_format(void)
{
	return MAGIC;
}

/* --- sending --------------------------------------------------------------- */

/* A memfd that holds the bytes, or a negative errno. */
static int
spill(struct str bytes)
{
	AUTO_CLOSE int fd = memfd_create("wsgid-handoff", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fd_lift(fd);
	if (rc < 0)
		return rc;
	fd = rc;
	rc = fd_write_all(fd, bytes.p, bytes.len);
	if (rc < 0)
		return rc;
	return fd_take(&fd);
}

static int
send_record(int give, const struct record *record, struct str bytes,
	const int *fds, size_t n_fds)
{
	union control control = {0};
	struct iovec parts[2] = {
		{(void *)record, sizeof(*record)},
		{(void *)bytes.p, bytes.len},
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = bytes.len > 0 ? 2 : 1,
	};
	struct cmsghdr *c;

	if (n_fds > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	if (sendmsg(give, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	switch (errno) {
	case EWOULDBLOCK:
	case ENOBUFS:
	case ENOMEM:
	case ETOOMANYREFS:
		return -EAGAIN;
	default:
		return -errno;
	}
}

int
handoff_send(int give, const struct handoff *h)
{
	struct record record = {
		.magic = MAGIC,
		.requests = h->requests,
		.deadline_ns = h->deadline_ns,
		.since_ns = h->since_ns,
		.peer = h->peer,
		.began_ns = h->began_ns,
		.part_bytes = h->part_bytes,
		.part = h->part,
		.spool_len = h->spool_len,
		.bytes = (uint32_t)h->bytes.len,
		.spilled = h->bytes.len > HANDOFF_INLINE,
	};
	AUTO_CLOSE int memory = -1;
	int fds[FDS_MAX] = {h->fd};
	size_t n = 1;

	if (h->bytes.len > SPILLED_MAX)
		return -EMSGSIZE;
	if (record.spilled) {
		memory = spill(h->bytes);
		if (memory < 0)
			return -EAGAIN;
		fds[n++] = memory;
	}
	if (h->spool_len > 0)
		fds[n++] = h->spool;
	return send_record(give, &record,
		record.spilled ? (struct str){0} : h->bytes, fds, n);
}

int
handoff_nudge(int give)
{
	struct record record = {.magic = MAGIC};

	return send_record(give, &record, (struct str){0}, NULL, 0);
}

/* --- receiving -------------------------------------------------------------- */

/* The descriptors that came with a message.  Their number; those that are
 * too many are closed, and it is FDS_MAX + 1. */
static size_t
take_fds(struct msghdr *message, int fds[FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
		c = CMSG_NXTHDR(message, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
				sizeof(int));
			if (n < FDS_MAX)
				fds[n] = fd;
			else
				close(fd);
			n++;
		}
	}
	return n;
}

static bool
is_connection(int fd)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	int type = 0, listens = 1;
	socklen_t len = sizeof(int);

	/* ENOTCONN is a client that has left: receiving will say so. */
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	       listens == 0 &&
	       (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 ||
		       errno == ENOTCONN);
}

static bool
is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int
unspill(int memory, size_t len, struct handoff *ret, struct handoff_room *room)
{
	size_t got;
	int rc = len <= SPILLED_MAX && is_file(memory)
			 ? fd_read_whole(memory, len, &room->spilled, &got)
			 : -EPROTO;

	if (rc < 0)
		return -EPROTO;
	ret->bytes = (struct str){room->spilled, got};
	return got == len ? 0 : -EPROTO;
}

static size_t
fds_of(const struct record *record)
{
	return 1 + (record->spilled > 0) + (record->spool_len > 0);
}

/* Is the message what handoff_send writes?  An enum handoff_result or
 * -EPROTO. */
static int
check(const struct record *record, size_t payload, const int *fds, size_t n_fds,
	struct handoff *ret, struct handoff_room *room)
{
	if (record->magic != MAGIC || record->spilled > 1 ||
		record->peer.awaits >= HANDOFF_AWAITS)
		return -EPROTO;
	if (n_fds == 0)
		return payload == 0 && record->bytes == 0 ? HANDOFF_NUDGE
							  : -EPROTO;
	if (n_fds != fds_of(record) || !is_connection(fds[0]) ||
		(record->spool_len > 0 && !is_file(fds[n_fds - 1])))
		return -EPROTO;
	*ret = (struct handoff){
		.fd = fds[0],
		.requests = record->requests,
		.deadline_ns = record->deadline_ns,
		.since_ns = record->since_ns,
		.peer = record->peer,
		.began_ns = record->began_ns,
		.part_bytes = record->part_bytes,
		.part = record->part,
		.spool = record->spool_len > 0 ? fds[n_fds - 1] : -1,
		.spool_len = record->spool_len,
		.bytes = {room->inline_bytes, payload},
	};
	if (record->spilled)
		return payload == 0 && unspill(fds[1], record->bytes, ret,
					       room) == 0
			       ? HANDOFF_CONNECTION
			       : -EPROTO;
	return payload == record->bytes ? HANDOFF_CONNECTION : -EPROTO;
}

/* How many descriptors would come with the next message, which stays where it is, or
 * a negative errno. */
static int
fds_expected(int take)
{
	struct record record;
	ssize_t n =
		recv(take, &record, sizeof(record), MSG_DONTWAIT | MSG_PEEK);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(record) ? (int)fds_of(&record) : 1;
}

/* Without room in our table for all of its descriptors the kernel would drop
 * some, the connection even, and deliver the rest. */
static bool
has_room(int take, int expected)
{
	int fds[FDS_MAX];
	int n = 0, free_ones;
	bool full;

	while (n < FDS_MAX && (fds[n] = fcntl(take, F_DUPFD_CLOEXEC, 0)) >= 0)
		n++;
	full = n < FDS_MAX && errno == EMFILE;
	free_ones = n;
	while (n > 0)
		close(fds[--n]);
	return !full || free_ones >= expected;
}

/* An empty message is none of ours, and looks like the end. */
static bool
has_ended(int take)
{
	struct pollfd p = {.fd = take, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

int
handoff_receive(int take, struct handoff *ret, struct handoff_room *room)
{
	struct record record;
	union control control;
	struct iovec parts[2] = {
		{&record, sizeof(record)},
		{room->inline_bytes, sizeof(room->inline_bytes)},
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	int fds[FDS_MAX] = {-1, -1, -1};
	size_t n_fds;
	ssize_t n;
	int rc;

	room->spilled = NULL;
	rc = fds_expected(take); /* mostly there is nothing */
	if (rc < 0)
		return rc == -EINTR ? -EAGAIN : rc;
	if (!has_room(take, rc))
		return -EMFILE;
	n = recvmsg(take, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0 && has_ended(take))
		return -EPIPE;
	n_fds = take_fds(&message, fds);
	if ((size_t)n < sizeof(record) ||
		(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		rc = -EPROTO;
	else
		rc = check(&record, (size_t)n - sizeof(record), fds, n_fds, ret,
			room);
	for (int i = 0; i < FDS_MAX; i++)
		if (rc != HANDOFF_CONNECTION ||
			(fds[i] != ret->fd && fds[i] != ret->spool))
			fd_close(&fds[i]);
	if (rc < 0)
		handoff_room_fini(room);
	return rc;
}

void
handoff_room_fini(struct handoff_room *room)
{
	free(room->spilled);
	room->spilled = NULL;
}
