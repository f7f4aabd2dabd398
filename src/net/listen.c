/*
 * listen.c - listening sockets: made by the master, inherited by children.
 *
 * Options are set on the listener once and not on each connection: Linux
 * copies SO_KEEPALIVE and TCP_NODELAY to the sockets it accepts.  Apache
 * sets both, and SO_REUSEADDR, without which a restarted server could not
 * bind while connections of the old one linger.
 *
 * With SO_REUSEADDR on both sides two sockets can be bound to one port as
 * long as neither listens: a port in use is reported by bind or by listen.
 */
#include "net/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/kernel.h"
#include "net/holder.h"
#include "net/listen_priv.h"

/* Of <linux/socket.h>, Linux 5.14. */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOCK_SNDBUF_LOCK
#define SOCK_SNDBUF_LOCK 1
#define SOCK_RCVBUF_LOCK 2
#endif

/* The kernel's own bound for it since Linux 5.4: Apache's 511 is too few for a
 * thousand clients that come at once. */
enum { DEFAULT_BACKLOG = 4096 };

int
listen_in_use(const struct address *a, const char *text, struct err *err)
{
	char program[HOLDER_PROGRAM];
	pid_t pid = holder_find(a, program);
	bool is_unix = a->any.sa_family == AF_UNIX;

	if (pid == getpid())
		return err_setx(err, EADDRINUSE,
			"Listen %s: this server has that already, by another "
			"Listen or, after a reload, by one that was changed, "
			"which takes a stop and a start%s",
			text,
			is_unix ? "" : "; [::] takes IPv4 connections too");
	if (pid != 0)
		return err_setx(err, EADDRINUSE,
			"Listen %s: in use by %s (pid %d): stop that or "
			"choose another %s",
			text, program, (int)pid, is_unix ? "path" : "port");
	return err_setx(err, EADDRINUSE,
		"Listen %s: in use by another program; as root, \"ss -l%sp\" "
		"tells which: stop that or choose another %s",
		text, is_unix ? "x" : "tn", is_unix ? "path" : "port");
}

static unsigned
first_free_port(void)
{
	char text[16];
	unsigned port;

	(void)kernel_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", text,
		sizeof(text));
	return sscanf(text, "%u", &port) == 1 ? port : 1024;
}

static int
explain_tcp(int code, const struct address *a, struct err *err)
{
	char text[ADDRESS_TEXT];

	address_format(a, text);
	switch (code) {
	case EADDRINUSE:
		return listen_in_use(a, text, err);
	case EACCES:
		return err_setx(err, code,
			"Listen %s: a port below %u needs a privilege: start "
			"wsgid as root, give it CAP_NET_BIND_SERVICE, lower "
			"net.ipv4.ip_unprivileged_port_start by sysctl, or "
			"choose another port",
			text, first_free_port());
	case EADDRNOTAVAIL:
		return err_setx(err, code,
			"Listen %s: that is no address of this machine: \"ip "
			"addr\" lists them, * stands for all",
			text);
	case EAFNOSUPPORT:
		return err_setx(err, code, "Listen %s: this machine has no %s",
			text, a->any.sa_family == AF_INET6 ? "IPv6" : "IPv4");
	case EINVAL:
		if (a->any.sa_family == AF_INET6 &&
			IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr) &&
			a->in6.sin6_scope_id == 0)
			return err_setx(err, code,
				"Listen %s: a link-local address needs its "
				"interface: write [fe80::1%%eth0]:8000",
				text);
		return err_set(err, code, "Listen %s", text);
	default:
		return err_set(err, code, "Listen %s", text);
	}
}

static int
set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno
									: 0;
}

/* For what accepted sockets shall have. */
static int
set_inherited(int fd)
{
	int rc = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);

	return rc < 0 ? rc : set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* The size is fixed with it, and the kernel tunes it no more.  Linux doubles
 * what is asked for, to have room for its own bookkeeping. */
static int
set_buffers(int fd, const struct listen_options *options)
{
	int rc = 0;

	if (options->send_buffer > 0)
		rc = set_option(
			fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
	if (rc == 0 && options->receive_buffer > 0)
		rc = set_option(
			fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
	return rc;
}

/* It only spares work: a system that knows no such thing goes without. */
static void
set_deferral(int fd, const struct listen_options *options)
{
	if (options->defer >= 0)
		(void)set_option(
			fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options->defer);
}

static int
set_options(int fd, int family, const struct listen_options *options)
{
	int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (rc == 0 && options->shares_port)
		rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	/* Said whatever net.ipv6.bindv6only is, so that "8000" means the
	 * same on every machine. */
	if (rc == 0 && family == AF_INET6)
		rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (rc == 0)
		rc = set_inherited(fd);
	set_deferral(fd, options);
	return rc == 0 ? set_buffers(fd, options) : rc;
}

/* The socket, or a negative errno. */
static int
open_tcp(const struct address *a, const struct listen_options *options)
{
	AUTO_CLOSE int fd =
		socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = set_options(fd, a->any.sa_family, options);
	if (ret < 0)
		return ret;
	if (bind(fd, &a->any, a->len) < 0 || listen(fd, options->backlog) < 0)
		return -errno;
	return fd_take(&fd);
}

static int
read_address(int fd, struct address *ret)
{
	struct address a = {.len = 0};

	a.len = sizeof(a.un);
	if (getsockname(fd, &a.any, &a.len) < 0)
		return -errno;
	*ret = a;
	return 0;
}

int
listen_open(struct listener *ret, const struct address *address,
	const struct listen_options *options, struct err *err)
{
	struct listener l = {.fd = -1, .address = *address};
	struct listen_options settled = *options;
	int rc;

	if (settled.backlog <= 0)
		settled.backlog = DEFAULT_BACKLOG;
	if (address->any.sa_family == AF_UNIX) {
		rc = listen_open_unix(&l, &settled, err);
		if (rc < 0)
			return rc;
		*ret = l;
		return 0;
	}
	l.fd = open_tcp(address, &settled);
	if (l.fd < 0)
		return explain_tcp(-l.fd, address, err);
	rc = read_address(l.fd, &l.address);
	if (rc < 0) {
		fd_close(&l.fd);
		return explain_tcp(-rc, address, err);
	}
	*ret = l;
	return 0;
}

int
listen_open_twin(struct listener *ret, const struct listener *first,
	const struct listen_options *options, struct err *err)
{
	struct listen_options settled = *options;
	struct listener l = {.address = first->address};
	int rc;

	if (settled.backlog <= 0)
		settled.backlog = DEFAULT_BACKLOG;
	settled.shares_port = true;
	/* Not before: the first one shall be refused a port that another
	 * program of the same user has made ready to be shared. */
	rc = set_option(first->fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc < 0)
		return explain_tcp(-rc, &first->address, err);
	l.fd = open_tcp(&first->address, &settled);
	if (l.fd < 0)
		return explain_tcp(-l.fd, &first->address, err);
	*ret = l;
	return 0;
}

void
listen_defer_no_more(const struct listener *l)
{
	if (l->address.any.sa_family != AF_UNIX)
		(void)set_option(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
}

void
listen_shut(const struct listener *l)
{
	(void)shutdown(l->fd, SHUT_RD);
}

void
listen_close(struct listener *l)
{
	/* The file goes first: who looks meanwhile finds nothing, instead of
	 * a socket on which nobody answers. */
	if (l->unlink_path)
		listen_unlink(l);
	l->unlink_path = false;
	fd_close(&l->fd);
}

static int
get_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno
								    : value;
}

/* The size that a new socket of its kind has, and no lock on it. */
static int
free_buffer(int fd, int option, int lock, const char *file)
{
	char text[64];
	int locks = get_option(fd, SO_BUF_LOCK), standard, rc = 0;

	/* Nobody has set it, or the kernel is older than 5.14 and cannot. */
	if (locks < 0 || (locks & lock) == 0)
		return 0;
	(void)kernel_read(file, text, sizeof(text));
	if (sscanf(text, "%*d %d", &standard) == 1)
		rc = set_option(fd, SOL_SOCKET, option, standard / 2);
	return rc == 0 ? set_option(fd, SOL_SOCKET, SO_BUF_LOCK, locks & ~lock)
		       : rc;
}

int
listen_tune(const struct listener *l, const struct listen_options *options)
{
	int rc;

	if (options->backlog > 0 && listen(l->fd, options->backlog) < 0)
		return -errno;
	if (l->address.any.sa_family == AF_UNIX)
		return 0;
	set_deferral(l->fd, options);
	rc = set_buffers(l->fd, options);
	if (rc == 0 && options->send_buffer == 0)
		rc = free_buffer(l->fd, SO_SNDBUF, SOCK_SNDBUF_LOCK,
			"/proc/sys/net/ipv4/tcp_wmem");
	if (rc == 0 && options->receive_buffer == 0)
		rc = free_buffer(l->fd, SO_RCVBUF, SOCK_RCVBUF_LOCK,
			"/proc/sys/net/ipv4/tcp_rmem");
	return rc;
}

int
listen_again(const struct listener *l, int backlog)
{
	const struct address *a = &l->address;
	struct pollfd p = {.fd = l->fd};

	if (a->any.sa_family == AF_UNIX)
		return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0
			       ? -ESHUTDOWN
			       : 0;
	if (get_option(l->fd, SO_ACCEPTCONN) == 1)
		return 0;
	/* A port that the kernel had chosen has been given up. */
	if (bind(l->fd, &a->any, a->len) < 0 && errno != EINVAL)
		return -errno;
	return listen(l->fd, backlog > 0 ? backlog : DEFAULT_BACKLOG) < 0
		       ? -errno
		       : 1;
}

/* Set it to nothing; whether it was something. */
static bool
take_back(int fd, int level, int option)
{
	static const int nothing;
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, level, option, &value, &len) == 0 && value != 0 &&
	       setsockopt(fd, level, option, &nothing, sizeof(nothing)) == 0;
}

/* For a socket that listens the kernel gives its backlog there. */
static bool
has_backlog(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	       info.tcpi_sacked > 0;
}

bool
listen_restore(const struct listener *l, int backlog)
{
	static const int unused;
	bool changed;

	/* It fails where there is none. */
	changed = setsockopt(l->fd, SOL_SOCKET, SO_DETACH_FILTER, &unused,
			  sizeof(unused)) == 0;
	if (l->address.any.sa_family == AF_UNIX)
		return changed;
	changed |= take_back(l->fd, IPPROTO_IP, IP_MINTTL);
	if (l->address.any.sa_family == AF_INET6)
		changed |= take_back(l->fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
	if (!has_backlog(l->fd))
		changed |= listen(l->fd, backlog > 0 ? backlog
						     : DEFAULT_BACKLOG) == 0;
	return changed;
}

int
listen_buffers(const struct listener *l, int *send, int *receive)
{
	int sent = get_option(l->fd, SO_SNDBUF);
	int received = get_option(l->fd, SO_RCVBUF);

	if (sent < 0 || received < 0)
		return sent < 0 ? sent : received;
	*send = sent / 2;
	*receive = received / 2;
	return 0;
}

int
listen_inherit(struct listener *ret, int fd, struct err *err)
{
	struct listener l = {.fd = fd};
	int family = get_option(fd, SO_DOMAIN), rc;

	if (family < 0)
		return err_set(err, -family,
			"descriptor %d, handed over as a listener", fd);
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return err_setx(err, EAFNOSUPPORT,
			"descriptor %d, handed over as a listener, is a "
			"socket of another family than IPv4, IPv6 and Unix",
			fd);
	if (get_option(fd, SO_TYPE) != SOCK_STREAM)
		return err_setx(err, EPROTOTYPE,
			"descriptor %d, handed over as a listener, is no "
			"stream socket: use ListenStream= in the socket unit",
			fd);
	if (get_option(fd, SO_ACCEPTCONN) != 1)
		return err_setx(err, EINVAL,
			"descriptor %d, handed over as a listener, does not "
			"listen: use Accept=no in the socket unit",
			fd);
	rc = read_address(fd, &l.address);
	if (rc == 0)
		rc = fd_set_cloexec(fd, true);
	if (rc < 0)
		return err_set(err, -rc,
			"descriptor %d, handed over as a listener", fd);
	*ret = l;
	return 0;
}

int
listen_adopt(struct listener *ret, int fd, struct err *err)
{
	int rc = listen_inherit(ret, fd, err);

	if (rc < 0)
		return rc;
	rc = fd_set_nonblock(fd, false);
	if (rc == 0 && ret->address.any.sa_family != AF_UNIX)
		rc = set_inherited(fd);
	return rc < 0 ? err_set(err, -rc,
				"descriptor %d, handed over as a listener", fd)
		      : 0;
}

int
listen_set_add(int set, const struct listener *l, size_t index)
{
	/* Not EPOLLEXCLUSIVE: whom a connection wakes is decided among those
	 * who poll the set, and a set is one waiter. */
	struct epoll_event event = {
		.events = EPOLLIN, .data.u32 = (uint32_t)index};
	int rc = fd_set_nonblock(l->fd, true);

	if (rc < 0)
		return rc;
	return epoll_ctl(set, EPOLL_CTL_ADD, l->fd, &event) < 0 ? -errno : 0;
}

int
listen_set_remove(int set, const struct listener *l)
{
	return epoll_ctl(set, EPOLL_CTL_DEL, l->fd, NULL) < 0 ? -errno : 0;
}

int
listen_make_set(const struct listener *listeners, size_t n)
{
	AUTO_CLOSE int set = epoll_create1(EPOLL_CLOEXEC);
	int ret;

	if (set < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		ret = listen_set_add(set, &listeners[i], i);
		if (ret < 0)
			return ret;
	}
	return fd_take(&set);
}

static int
accept_one(int listener)
{
	int fd;

	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int
listen_accept_any(const int *fds, size_t n, size_t *from)
{
	int fd = -EAGAIN;

	for (size_t i = 0; i < n && fd == -EAGAIN; i++) {
		fd = accept_one(fds[i]);
		if (fd >= 0)
			*from = i;
	}
	return fd;
}

int
listen_accept_from_set(int set, const int *fds, size_t n, size_t *from)
{
	/* One event at a time: the kernel puts a listener that it reported
	 * behind the others, so a busy one cannot starve a quiet one. */
	for (size_t i = 0; i < n; i++) {
		struct epoll_event event;
		int found, fd;

		do
			found = epoll_wait(set, &event, 1, 0);
		while (found < 0 && errno == EINTR);
		if (found < 0)
			return -EBADF; /* it is no set, or not any more */
		if (found == 0)
			return -EAGAIN;
		if (event.data.u32 >= n)
			continue; /* another holder of the set put it there */
		fd = accept_one(fds[event.data.u32]);
		if (fd >= 0) {
			*from = event.data.u32;
			return fd;
		}
		if (fd != -EAGAIN)
			return fd;
	}
	return -EAGAIN;
}
