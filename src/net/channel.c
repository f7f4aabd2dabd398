/*
 * channel.c - what the master and one child say to each other.
 *
 * A message is a fixed head, the text, and the descriptors beside it.  The
 * other side of a channel can be a process that runs foreign code, so what
 * arrives is checked as if it came from the network: lengths, the kind, that
 * there are exactly the descriptors that the head announces, and that they
 * come with a kind that has any.  Every descriptor of a refused message is
 * closed, or a hostile child could fill its master's table.
 */
#include "net/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

/* "WSC" and the version.  Both sides are always of one build, except when
 * somebody starts a child by hand: then the number says so. */
enum { MAGIC = 0x57534301 };

struct head {
	uint32_t magic;
	uint32_t kind;
	uint32_t deadline_ms;
	uint32_t text_len; /* bytes behind the head, no NUL */
	uint32_t n_fds;
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(CHANNEL_FDS * sizeof(int)) +
		  CMSG_SPACE(sizeof(struct ucred))];
};

int
channel_pair(int *master, int *child)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0, fds) < 0)
		return -errno;
	*master = fds[0];
	*child = fds[1];
	return 0;
}

int
channel_identify(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0
		       ? -errno
		       : 0;
}

static bool
is_kind(uint32_t kind)
{
	switch (kind) {
	case CHANNEL_READY:
	case CHANNEL_FAILED:
	case CHANNEL_WANTS_RETIRE:
	case CHANNEL_BUSY:
	case CHANNEL_BORN:
	case CHANNEL_MUTEX_BROKEN:
	case CHANNEL_NEEDS_SHARED:
	case CHANNEL_CHANGED:
	case CHANNEL_CUT:
	case CHANNEL_LEAVES:
	case CHANNEL_TOO_LARGE:
	case CHANNEL_HAS_LOGS:
	case CHANNEL_RETIRE:
	case CHANNEL_STOP:
	case CHANNEL_LOGS:
	case CHANNEL_FINISH:
	case CHANNEL_LOG_LEVEL:
	case CHANNEL_FORK:
	case CHANNEL_SHOW_FAILURE:
		return true;
	default:
		return false;
	}
}

static bool
carries_fds(uint32_t kind)
{
	return kind == CHANNEL_LOGS || kind == CHANNEL_FORK;
}

/* At most CHANNEL_TEXT bytes, and no half of a UTF-8 character. */
static size_t
text_length(const char *text)
{
	size_t len = strnlen(text, CHANNEL_TEXT + 1);

	if (len <= CHANNEL_TEXT)
		return len;
	len = CHANNEL_TEXT;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void
put_fds(struct msghdr *message, union control *control, const int *fds,
	size_t n_fds)
{
	struct cmsghdr *c;

	message->msg_control = control->room;
	message->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	c = CMSG_FIRSTHDR(message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
}

int
channel_send(int fd, enum channel_kind kind, uint32_t deadline_ms,
	const char *text, const int *fds, size_t n_fds)
{
	struct head head = {
		.magic = MAGIC,
		.kind = kind,
		.deadline_ms = deadline_ms,
		.text_len = text != NULL ? (uint32_t)text_length(text) : 0,
		.n_fds = (uint32_t)n_fds,
	};
	struct iovec parts[2] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_base = (void *)text, .iov_len = head.text_len},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	union control control = {0};

	if (!is_kind(kind) || n_fds > CHANNEL_FDS ||
		(n_fds > 0 && !carries_fds(kind)))
		return -EINVAL;
	if (n_fds > 0)
		put_fds(&message, &control, fds, n_fds);
	while (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Descriptors, as many as there is room for.  Where nobody asked for names the
 * kernel has put more into the room that was meant for one: the number tells. */
static size_t
take_fds(const struct cmsghdr *c, struct channel_message *m)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd, lifted;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		lifted = fd_lift(fd);
		if (lifted >= 0)
			fd = lifted;
		if (m->n_fds + i < CHANNEL_FDS)
			m->fds[m->n_fds + i] = fd;
		else
			close(fd);
	}
	return n;
}

/* What came along, however many headers it came in.  The number of descriptors,
 * which may be more than were kept. */
static size_t
take_control(struct msghdr *message, struct channel_message *m)
{
	size_t n = 0;

	m->pid = 0;
	m->n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
		c = CMSG_NXTHDR(message, c)) {
		struct ucred sender;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			n += take_fds(c, m);
			m->n_fds = n < CHANNEL_FDS ? n : CHANNEL_FDS;
		} else if (c->cmsg_type == SCM_CREDENTIALS &&
			   c->cmsg_len >= CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(c), sizeof(sender));
			m->pid = sender.pid;
		}
	}
	return n;
}

static bool
is_well_formed(const struct head *head, size_t len,
	const struct msghdr *message, const struct channel_message *m,
	size_t n_fds)
{
	if (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return false;
	if (len < sizeof(*head) || head->magic != MAGIC)
		return false;
	if (head->text_len != len - sizeof(*head))
		return false;
	if (memchr(m->text, '\0', head->text_len) != NULL)
		return false;
	if (!is_kind(head->kind) || head->n_fds != n_fds)
		return false;
	return n_fds <= CHANNEL_FDS && (n_fds == 0 || carries_fds(head->kind));
}

/* recvmsg answers 0 for the end and for an empty datagram alike. */
static bool
is_at_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 &&
	       (p.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

static ssize_t
receive(int fd, struct msghdr *message)
{
	size_t room = message->msg_controllen;
	ssize_t n;

	/* ECONNRESET: the other side left without reading all of ours.  The
	 * kernel reports that once and before the other side's own last
	 * words, which are still there to be read. */
	do {
		message->msg_controllen = room;
		n = recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n < 0 ? -errno : n;
}

int
channel_peek(int fd)
{
	struct head head;
	ssize_t n = recv(fd, &head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

	return n == sizeof(head) && head.magic == MAGIC ? (int)head.kind : 0;
}

int
channel_receive(int fd, struct channel_message *ret)
{
	struct channel_message m;
	struct head head;
	struct iovec parts[2] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_base = m.text, .iov_len = CHANNEL_TEXT},
	};
	union control control;
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n = receive(fd, &message);
	size_t n_fds;

	if (n < 0)
		return (int)n;
	n_fds = take_control(&message, &m);
	if (n == 0 && n_fds == 0 && is_at_end(fd))
		return 0;
	if (!is_well_formed(&head, (size_t)n, &message, &m, n_fds)) {
		for (size_t i = 0; i < m.n_fds; i++)
			close(m.fds[i]);
		return -EPROTO;
	}
	m.kind = head.kind;
	m.deadline_ms = head.deadline_ms;
	m.text_len = head.text_len;
	m.text[m.text_len] = '\0';
	memset(m.fds + m.n_fds, -1, (CHANNEL_FDS - m.n_fds) * sizeof(int));
	*ret = m;
	return 1;
}
