/*
 * backlog.c - who waits in the queue of a listening socket.  See backlog.h.
 *
 * tcp(7) has it in TCP_INFO, where a listening socket's tcpi_unacked and tcpi_sacked
 * are its queue and the limit of that; of a unix: one sock_diag(7) alone tells.
 */
#include "net/backlog.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"

struct question {
	struct nlmsghdr head;
	struct unix_diag_req body;
};

union answer {
	struct nlmsghdr head;
	char bytes[1024];
};

static int
look_at_tcp(int fd, struct backlog *ret)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	*ret = (struct backlog){
		.waiting = info.tcpi_unacked, .limit = info.tcpi_sacked};
	return 0;
}

/* The kernel answers before send returns. */
static ssize_t
ask(const struct question *question, union answer *ret)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_SOCK_DIAG);
	ssize_t n = -1;
	int rc;

	if (fd >= 0 && send(fd, question, sizeof(*question), 0) >= 0)
		n = recv(fd, ret, sizeof(*ret), 0);
	rc = -errno;
	if (fd >= 0)
		close(fd);
	return n < 0 ? rc : n;
}

static int
read_answer(const union answer *answer, size_t n, struct backlog *ret)
{
	const struct nlmsghdr *head = &answer->head;
	const struct unix_diag_rqlen *queue;
	const struct rtattr *attribute;
	unsigned left;

	if (!NLMSG_OK(head, n) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		head->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -EOPNOTSUPP;
	left = (unsigned)(head->nlmsg_len -
			  NLMSG_LENGTH(sizeof(struct unix_diag_msg)));
	attribute = (const void *)((const char *)NLMSG_DATA(head) +
				   sizeof(struct unix_diag_msg));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type != UNIX_DIAG_RQLEN ||
			RTA_PAYLOAD(attribute) < sizeof(*queue))
			continue;
		queue = RTA_DATA(attribute);
		*ret = (struct backlog){.waiting = queue->udiag_rqueue,
			.limit = queue->udiag_wqueue};
		return 0;
	}
	return -EOPNOTSUPP;
}

static int
look_at_unix(int fd, struct backlog *ret)
{
	struct question question = {
		.head = {.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST},
		.body = {.sdiag_family = AF_UNIX,
			.udiag_show = UDIAG_SHOW_RQLEN,
			.udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};
	union answer answer;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	question.body.udiag_ino = (uint32_t)st.st_ino;
	n = ask(&question, &answer);
	return n < 0 ? (int)n : read_answer(&answer, (size_t)n, ret);
}

int
backlog_look(int fd, struct backlog *ret)
{
	int domain = 0, listens = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		return -errno;
	if (!listens)
		return -EINVAL;
	return domain == AF_UNIX ? look_at_unix(fd, ret) : look_at_tcp(fd, ret);
}
