/*
 * test_listen.c - listeners on loopback, kernel-chosen ports and files of a
 * directory of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "net/address.h"
#include "net/listen.h"
#include "support/skip.h"

static const struct listen_options options = {
	.mode = 0666, .owner = (uid_t)-1, .group = (gid_t)-1};

struct place {
	char dir[64], text[128];
	const char *path; /* within text */
};

static int
make_place(void **state)
{
	static struct place p;

	strcpy(p.dir, "/tmp/test_listen.XXXXXX");
	if (mkdtemp(p.dir) == NULL || chmod(p.dir, 0755) < 0)
		return -1;
	snprintf(p.text, sizeof(p.text), "unix:%s/x.sock", p.dir);
	p.path = p.text + strlen("unix:");
	*state = &p;
	return 0;
}

static int
remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	rmdir(p->path);
	return rmdir(p->dir);
}

static struct address
parse(const char *text)
{
	struct address a;
	struct err err = {0};

	if (address_parse(&a, 1, text, &err) != 1)
		fail_msg("%s", err.text);
	return a;
}

static struct listener
must_open(const char *text)
{
	struct address a = parse(text);
	struct listener l;
	struct err err = {0};

	if (listen_open(&l, &a, &options, &err) != 0)
		fail_msg("%s", err.text);
	return l;
}

static int
try_open(const char *text, struct err *err)
{
	struct address a = parse(text);
	struct listener l;
	int rc = listen_open(&l, &a, &options, err);

	if (rc == 0)
		listen_close(&l);
	return rc;
}

static int
connect_to(const struct address *a)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, &a->any, a->len) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int
option_of(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static bool
has_ipv6(void)
{
	struct address a = parse("[::1]:0");
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd >= 0 && bind(fd, &a.any, a.len) == 0;
}

static void
test_what_a_listener_has_its_connections_have(void **state)
{
	struct listener l = must_open("127.0.0.1:0");
	int client = connect_to(&l.address), fd;

	(void)state;
	assert_true(client >= 0);
	fd = accept4(l.fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(fcntl(l.fd, F_GETFD), FD_CLOEXEC);
	assert_false(fcntl(l.fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(client);
	listen_close(&l);
	assert_int_equal(l.fd, -1);
}

static struct listener
open_with(int send, int receive)
{
	struct listen_options o = options;
	struct address a = parse("127.0.0.1:0");
	struct listener l;
	struct err err = {0};

	o.send_buffer = send;
	o.receive_buffer = receive;
	if (listen_open(&l, &a, &o, &err) != 0)
		fail_msg("%s", err.text);
	return l;
}

static void
assert_connection_has(const struct listener *l, int send, int receive)
{
	AUTO_CLOSE int client = connect_to(&l->address);
	AUTO_CLOSE int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), 2 * send);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 2 * receive);
}

static void
test_connections_have_the_buffers_that_were_asked_for(void **state)
{
	struct listener l = open_with(40000, 50000);
	int send, receive;

	(void)state;
	assert_connection_has(&l, 40000, 50000);
	assert_int_equal(listen_buffers(&l, &send, &receive), 0);
	assert_int_equal(send, 40000);
	assert_int_equal(receive, 50000);
	listen_close(&l);
}

static void
test_what_the_kernel_cuts_is_told(void **state)
{
	struct listener l = open_with(1 << 30, 1 << 30);
	int send, receive;

	(void)state;
	assert_int_equal(listen_buffers(&l, &send, &receive), 0);
	assert_true(send > 0 && send < 1 << 30);
	assert_true(receive > 0 && receive < 1 << 30);
	assert_connection_has(&l, send, receive);
	listen_close(&l);
}

static bool
has_somebody(const struct listener *l, int patience_ms)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	return poll(&p, 1, patience_ms) > 0;
}

static void
let_in(const struct listener *l)
{
	AUTO_CLOSE int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
}

static void
test_who_has_said_nothing_waits_where_that_was_asked_for(void **state)
{
	struct listen_options o = options;
	struct address a = parse("127.0.0.1:0");
	struct listener l;

	(void)state;
	o.defer = 30;
	assert_int_equal(listen_open(&l, &a, &o, NULL), 0);
	for (int i = 0; i < 2; i++) {
		AUTO_CLOSE int client = connect_to(&l.address);

		assert_false(has_somebody(&l, 100));
		assert_int_equal(write(client, "x", 1), 1);
		assert_true(has_somebody(&l, 5000));
		let_in(&l);
		o.defer = -1; /* changes nothing */
		assert_int_equal(listen_tune(&l, &o), 0);
	}
	o.defer = 0;
	assert_int_equal(listen_tune(&l, &o), 0);
	AUTO_CLOSE int client = connect_to(&l.address);

	assert_true(client >= 0 && has_somebody(&l, 5000));
	let_in(&l);
	listen_close(&l);
}

/* How many clients may wait to be let in. */
static uint32_t
backlog_of(const struct listener *l)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	assert_int_equal(
		getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_sacked;
}

static int
somaxconn(void)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "re");
	int bound;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &bound), 1);
	fclose(f);
	return bound;
}

static void
test_as_many_clients_may_wait_as_listen_backlog_says(void **state)
{
	static const struct {
		int asked, backlog;
	} cases[] = {{5, 5}, {77, 77}, {0, 4096}};
	int bound = somaxconn();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct listen_options o = options;
		struct address a;
		struct listener l;

		o.backlog = cases[i].asked;
		assert_int_equal(address_parse(&a, 1, "127.0.0.1:0", NULL), 1);
		assert_int_equal(listen_open(&l, &a, &o, NULL), 0);
		assert_int_equal(backlog_of(&l),
			cases[i].backlog < bound ? cases[i].backlog : bound);
		o.backlog = 9;
		assert_int_equal(listen_tune(&l, &o), 0);
		assert_int_equal(backlog_of(&l), 9);
		listen_close(&l);
	}
}

static void
test_a_listener_is_tuned_while_it_listens(void **state)
{
	struct listener l = open_with(40000, 0);
	struct listen_options o = options;
	int fresh = socket(AF_INET, SOCK_STREAM, 0), locks;

	(void)state;
	o.send_buffer = 60000;
	o.receive_buffer = 30000;
	o.backlog = 5;
	assert_int_equal(listen_tune(&l, &o), 0);
	assert_connection_has(&l, 60000, 30000);

	o.send_buffer = o.receive_buffer = 0;
	assert_int_equal(listen_tune(&l, &o), 0);
	locks = option_of(l.fd, SOL_SOCKET, SO_BUF_LOCK);
	if (locks < 0)
		SKIP("SO_BUF_LOCK needs Linux 5.14");
	assert_int_equal(locks, 0);
	assert_int_equal(option_of(l.fd, SOL_SOCKET, SO_SNDBUF),
		option_of(fresh, SOL_SOCKET, SO_SNDBUF));
	assert_int_equal(option_of(l.fd, SOL_SOCKET, SO_RCVBUF),
		option_of(fresh, SOL_SOCKET, SO_RCVBUF));
	close(fresh);
	listen_close(&l);
}

static void
test_port_0_becomes_a_number(void **state)
{
	struct listener l = must_open("127.0.0.1:0");

	(void)state;
	assert_int_not_equal(address_port(&l.address), 0);
	listen_close(&l);
}

static void
test_a_shut_listener_lets_nobody_in_though_others_hold_it(void **state)
{
	const struct place *p = *state;
	const char *const texts[] = {"127.0.0.1:0", p->text};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct listener l = must_open(texts[i]);
		int copy = fcntl(l.fd, F_DUPFD_CLOEXEC, 0);

		assert_true(copy >= 0);
		close(connect_to(&l.address));
		listen_shut(&l);
		assert_int_equal(connect_to(&l.address), -ECONNREFUSED);
		close(accept4(copy, NULL, NULL, SOCK_NONBLOCK));
		assert_int_equal(accept4(copy, NULL, NULL, SOCK_NONBLOCK), -1);
		assert_int_equal(errno, EINVAL);
		listen_close(&l);
		close(copy);
	}
}

static void
test_a_listener_that_somebody_has_shut_listens_again(void **state)
{
	const struct place *p = *state;
	struct listener tcp = must_open("127.0.0.1:0");
	struct listener local = must_open(p->text);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(listen_again(&tcp, 0), 0);
		close(connect_to(&tcp.address));
		assert_int_equal(shutdown(tcp.fd, SHUT_RDWR), 0);
		assert_int_equal(connect_to(&tcp.address), -ECONNREFUSED);
		assert_int_equal(listen_again(&tcp, 5), 1);
	}
	close(connect_to(&tcp.address));
	assert_int_equal(listen_again(&local, 0), 0);
	assert_int_equal(shutdown(local.fd, SHUT_RDWR), 0);
	assert_int_equal(listen_again(&local, 0), -ESHUTDOWN);
	listen_close(&tcp);
	listen_close(&local);
}

static void
test_a_listener_that_somebody_has_made_deaf_hears_again(void **state)
{
	static const char *const places[] = {"127.0.0.1:0", "[::1]:0"};
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {1, &none};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct listener l = must_open(places[i]);
		int far = 255;

		assert_false(listen_restore(&l, 5));
		assert_int_equal(setsockopt(l.fd, IPPROTO_IP, IP_MINTTL, &far,
					 sizeof(far)),
			0);
		if (i == 1)
			assert_int_equal(
				setsockopt(l.fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT,
					&far, sizeof(far)),
				0);
		assert_true(listen_restore(&l, 5));
		assert_int_equal(listen(l.fd, 0), 0);
		assert_true(listen_restore(&l, 5));
		if (setsockopt(l.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
			    sizeof(filter)) == 0)
			assert_true(listen_restore(&l, 5));
		assert_false(listen_restore(&l, 5));
		close(connect_to(&l.address));
		listen_close(&l);
	}
}

static void
test_one_socket_serves_both_families(void **state)
{
	struct listener l = must_open("0");
	struct address v4 = parse("127.0.0.1:1"), v6 = parse("[::1]:1"), peer;
	char host[ADDRESS_TEXT];
	int client, fd;

	(void)state;
	if (!has_ipv6())
		SKIP("this machine has no IPv6");
	v4.in4.sin_port = v6.in6.sin6_port = l.address.in6.sin6_port;
	client = connect_to(&v6);
	assert_true(client >= 0);
	close(client);
	fd = accept(l.fd, NULL, NULL);
	close(fd);

	client = connect_to(&v4);
	assert_true(client >= 0);
	peer.len = sizeof(peer.un);
	fd = accept(l.fd, &peer.any, &peer.len);
	assert_int_equal(peer.any.sa_family, AF_INET6);
	address_host(&peer, host);
	assert_string_equal(host, "127.0.0.1");
	close(fd);
	close(client);
	listen_close(&l);
}

static void
test_a_port_in_use_names_the_program(void **state)
{
	struct listener l;
	int to_us[2], to_them[2], status;
	char text[64], pid_text[32], byte;
	struct err err = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(to_us), 0);
	assert_int_equal(pipe(to_them), 0);
	pid = fork();
	if (pid == 0) {
		struct listener theirs = must_open("127.0.0.1:0");

		close(to_them[1]);
		(void)!write(to_us[1], &theirs, sizeof(theirs));
		(void)!read(to_them[0], &byte, 1);
		_exit(0);
	}
	close(to_them[0]);
	assert_int_equal(read(to_us[0], &l, sizeof(l)), sizeof(l));
	snprintf(pid_text, sizeof(pid_text), "(pid %d)", (int)pid);

	snprintf(text, sizeof(text), "127.0.0.1:%d", address_port(&l.address));
	assert_int_equal(try_open(text, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, pid_text));
	assert_non_null(strstr(err.text, "in use by "));

	/* All addresses are in the way of one. */
	snprintf(text, sizeof(text), "%d", address_port(&l.address));
	assert_int_equal(try_open(text, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, pid_text));

	close(to_them[1]);
	waitpid(pid, &status, 0);
	close(to_us[0]);
	close(to_us[1]);
}

static void
test_two_listeners_of_ours_in_one_place_are_told(void **state)
{
	struct listener l = must_open("0");
	struct err err = {0};
	char text[64];

	(void)state;
	snprintf(text, sizeof(text), "0.0.0.0:%d", address_port(&l.address));
	assert_int_equal(try_open(text, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "this server has that already"));
	listen_close(&l);
}

static void
test_an_address_of_another_machine_is_told(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(try_open("192.0.2.1:0", &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "no address of this machine"));
	if (!has_ipv6())
		return;
	assert_int_equal(try_open("[fe80::1]:0", &err), -EINVAL);
	assert_non_null(strstr(err.text, "needs its interface"));
}

/* The sentence that a user without rights gets. */
static int
try_as_stranger(const char *text, struct err *ret)
{
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct err err = {0};

		if (setgid(12345) < 0 || setuid(12345) < 0)
			_exit(2);
		try_open(text, &err);
		_exit(write(pipes[1], &err, sizeof(err)) < 0);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], ret, sizeof(*ret)), sizeof(*ret));
	close(pipes[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return -ret->code;
}

static void
test_a_low_port_needs_a_privilege(void **state)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
	struct err err = {0};
	int first = 0;

	(void)state;
	if (f != NULL) {
		assert_int_equal(fscanf(f, "%d", &first), 1);
		fclose(f);
	}
	if (geteuid() != 0)
		SKIP("only root can give up the privilege");
	if (first <= 1)
		SKIP("every port is free for all: the first is %d", first);
	assert_int_equal(try_as_stranger("127.0.0.1:1", &err), -EACCES);
	assert_non_null(strstr(err.text, "CAP_NET_BIND_SERVICE"));
	assert_non_null(strstr(err.text, "ip_unprivileged_port_start"));
}

static void
test_a_socket_file_has_its_mode_whatever_the_umask(void **state)
{
	static const struct {
		mode_t umask, mode;
	} rows[] = {
		{022, 0666}, {077, 0660}, {0, 0600}, {027, 0777}, {0777, 0666}};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct listen_options o = options;
		struct address a = parse(p->text);
		mode_t before = umask(rows[i].umask);
		struct listener l;
		struct err err = {0};
		struct stat st;

		o.mode = rows[i].mode;
		assert_int_equal(listen_open(&l, &a, &o, &err), 0);
		assert_int_equal(umask(before), rows[i].umask);
		assert_int_equal(stat(p->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, rows[i].mode);
		listen_close(&l);
		assert_int_equal(access(p->path, F_OK), -1);
	}
}

static void
test_a_socket_file_is_given_to_its_owner(void **state)
{
	struct place *p = *state;
	struct listen_options o = options;
	struct address a = parse(p->text);
	struct listener l;
	struct stat st;

	if (geteuid() != 0)
		SKIP("only root gives files away");
	o.owner = 12345;
	o.group = 23456;
	assert_int_equal(listen_open(&l, &a, &o, NULL), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 23456);
	listen_close(&l);
}

static void
test_what_a_killed_server_left_is_replaced(void **state)
{
	struct place *p = *state;
	struct listener l = must_open(p->text);
	int client;

	/* Killed: closed, and the file stays. */
	close(l.fd);
	assert_int_equal(access(p->path, F_OK), 0);
	assert_int_equal(connect_to(&l.address), -ECONNREFUSED);

	l = must_open(p->text);
	client = connect_to(&l.address);
	assert_true(client >= 0);
	close(client);
	listen_close(&l);
	assert_int_equal(access(p->path, F_OK), -1);
}

static void
test_a_path_in_use_is_left_alone(void **state)
{
	struct place *p = *state;
	struct listener l = must_open(p->text);
	struct err err = {0};
	int client;

	assert_int_equal(try_open(p->text, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "this server has that already"));
	client = connect_to(&l.address);
	assert_true(client >= 0);
	close(client);
	listen_close(&l);
}

static void
test_a_socket_of_another_type_is_left_alone(void **state)
{
	struct place *p = *state;
	struct address a = parse(p->text);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct err err = {0};

	assert_int_equal(bind(fd, &a.any, a.len), 0);
	assert_int_equal(try_open(p->text, &err), -EADDRINUSE);
	assert_int_equal(access(p->path, F_OK), 0);
	close(fd);
}

static void
test_what_is_no_socket_is_never_removed(void **state)
{
	struct place *p = *state;
	struct err err = {0};
	int fd = open(p->path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	assert_int_equal(try_open(p->text, &err), -EEXIST);
	assert_non_null(strstr(err.text, "is a file and not a socket"));
	assert_int_equal(unlink(p->path), 0);

	assert_int_equal(symlink("/nowhere", p->path), 0);
	assert_int_equal(try_open(p->text, &err), -EEXIST);
	assert_non_null(strstr(err.text, "is a symbolic link"));
	assert_int_equal(unlink(p->path), 0);

	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(try_open(p->text, &err), -EEXIST);
	assert_non_null(strstr(err.text, "is a directory"));
	assert_int_equal(rmdir(p->path), 0);

	assert_int_equal(mkfifo(p->path, 0700), 0);
	assert_int_equal(try_open(p->text, &err), -EEXIST);
	assert_non_null(strstr(err.text, "is a named pipe"));
}

static void
test_a_bad_directory_is_named(void **state)
{
	struct place *p = *state;
	struct err err = {0};
	char text[128];

	snprintf(text, sizeof(text), "unix:%s/no/x.sock", p->dir);
	assert_int_equal(try_open(text, &err), -ENOENT);
	assert_non_null(strstr(err.text, "there is no directory /tmp/"));
	assert_non_null(strstr(err.text, "/no: create it"));

	close(open(p->path, O_CREAT | O_WRONLY, 0600));
	snprintf(text, sizeof(text), "unix:%s/y.sock", p->path);
	assert_int_equal(try_open(text, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "x.sock is not a directory"));
	unlink(p->path);

	if (geteuid() != 0)
		return;
	assert_int_equal(try_as_stranger(p->text, &err), -EACCES);
	assert_non_null(
		strstr(err.text, "user #12345 may not create files in /tmp/"));
}

static void
test_a_file_that_is_not_ours_any_more_stays(void **state)
{
	struct place *p = *state;
	struct listener ours = must_open(p->text), theirs;
	char kept[128];

	/* Kept under another name, so that its inode is not used again. */
	snprintf(kept, sizeof(kept), "%s/kept", p->dir);
	assert_int_equal(rename(p->path, kept), 0);
	theirs = must_open(p->text);
	listen_close(&ours);
	assert_int_equal(access(p->path, F_OK), 0);
	listen_close(&theirs);
	assert_int_equal(unlink(kept), 0);
}

static void
test_an_abstract_name_leaves_nothing(void **state)
{
	struct listener l;
	struct err err = {0};
	char text[64];
	int client;

	(void)state;
	snprintf(text, sizeof(text), "unix:@test_listen.%d", (int)getpid());
	l = must_open(text);
	client = connect_to(&l.address);
	assert_true(client >= 0);
	close(client);
	assert_false(l.unlink_path);
	assert_int_equal(try_open(text, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "this server has that already"));
	listen_close(&l);
	assert_int_equal(try_open(text, &err), 0);
}

static void
test_a_socket_handed_over_is_taken(void **state)
{
	struct place *p = *state;
	const char *const texts[] = {"127.0.0.1:0", p->text};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct listener made = must_open(texts[i]), taken;
		struct err err = {0};

		fd_set_cloexec(made.fd, false);
		fd_set_nonblock(made.fd, true);
		assert_int_equal(listen_adopt(&taken, made.fd, &err), 0);
		assert_true(address_equal(&taken.address, &made.address));
		assert_false(taken.unlink_path);
		assert_int_equal(fcntl(taken.fd, F_GETFD), FD_CLOEXEC);
		assert_false(fcntl(taken.fd, F_GETFL) & O_NONBLOCK);
		listen_close(&made);
	}
}

static void
test_what_does_not_listen_is_not_taken(void **state)
{
	struct listener l;
	struct err err = {0};
	int fd;

	(void)state;
	assert_int_equal(listen_adopt(&l, -1, &err), -EBADF);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(listen_adopt(&l, fd, &err), -ENOTSOCK);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(listen_adopt(&l, fd, &err), -EPROTOTYPE);
	assert_non_null(strstr(err.text, "ListenStream="));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(listen_adopt(&l, fd, &err), -EINVAL);
	assert_non_null(strstr(err.text, "Accept=no"));
	close(fd);
	fd = socket(AF_NETLINK, SOCK_RAW, 0);
	if (fd >= 0)
		assert_int_equal(listen_adopt(&l, fd, &err), -EAFNOSUPPORT);
	close(fd);
}

/* Wait for what loopback delivers at once, but not before we look. */
static void
wait_readable(int set)
{
	struct epoll_event event;
	AUTO_CLOSE int outer = epoll_create1(EPOLL_CLOEXEC);

	event.events = EPOLLIN;
	assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, set, &event), 0);
	assert_int_equal(epoll_wait(outer, &event, 1, 10000), 1);
}

static void
test_listeners_of_a_set_take_turns(void **state)
{
	enum { LISTENERS = 3, EACH = 4 };
	struct listener l[LISTENERS];
	int fds[LISTENERS], clients[LISTENERS * EACH], set;
	size_t from = 0, seen[LISTENERS] = {0};

	(void)state;
	for (size_t i = 0; i < LISTENERS; i++) {
		l[i] = must_open("127.0.0.1:0");
		fds[i] = l[i].fd;
	}
	set = listen_make_set(l, LISTENERS);
	assert_true(set >= 0);
	assert_int_equal(fcntl(set, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(l[0].fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(
		listen_accept_from_set(set, fds, LISTENERS, &from), -EAGAIN);

	for (size_t i = 0; i < LISTENERS * EACH; i++) {
		clients[i] = connect_to(&l[i / EACH].address);
		assert_true(clients[i] >= 0);
	}
	wait_readable(set);
	for (size_t i = 0; i < LISTENERS * EACH; i++) {
		int fd = listen_accept_from_set(set, fds, LISTENERS, &from);

		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		seen[from]++;
		/* After each round all have had as many. */
		for (size_t j = 0; j < LISTENERS; j++)
			assert_in_range(
				seen[j], i / LISTENERS, i / LISTENERS + 1);
		close(fd);
	}
	assert_int_equal(
		listen_accept_from_set(set, fds, LISTENERS, &from), -EAGAIN);
	for (size_t i = 0; i < LISTENERS * EACH; i++)
		close(clients[i]);
	close(set);
	for (size_t i = 0; i < LISTENERS; i++)
		listen_close(&l[i]);
}

/* --- several sockets for one address -------------------------------------------- */

static void
test_twins_share_the_connections(void **state)
{
	struct listener l[2] = {must_open("127.0.0.1:0")};
	int clients[100], n[2] = {0, 0}, fd;
	struct err err = {0};
	size_t from = 1;

	(void)state;
	assert_int_equal(listen_open_twin(&l[1], &l[0], &options, &err), 0);
	assert_int_equal(
		address_port(&l[1].address), address_port(&l[0].address));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		clients[i] = connect_to(&l[0].address);
		assert_true(clients[i] >= 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fd_set_nonblock(l[i].fd, true), 0);
		while ((fd = listen_accept_any(&l[i].fd, 1, &from)) >= 0) {
			assert_int_equal(from, 0);
			close(fd);
			n[i]++;
		}
		assert_int_equal(fd, -EAGAIN);
		/* By chance, of which this is 1 in 2^99. */
		assert_true(n[i] > 0);
	}
	assert_int_equal(n[0] + n[1], ARRAY_LEN(clients));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	listen_close(&l[0]);
	listen_close(&l[1]);
}

static void
test_an_address_that_others_share_is_in_use(void **state)
{
	struct listener first = must_open("127.0.0.1:0"), twin, third;
	struct address a = first.address;
	struct err err = {0};

	(void)state;
	assert_int_equal(listen_open_twin(&twin, &first, &options, &err), 0);
	assert_int_equal(listen_open(&third, &a, &options, &err), -EADDRINUSE);
	listen_close(&first);
	assert_int_equal(listen_open(&third, &a, &options, &err), -EADDRINUSE);
	listen_close(&twin);
	assert_int_equal(listen_open(&third, &a, &options, &err), 0);
	listen_close(&third);
}

static void
test_a_set_changes_while_it_is_in_use(void **state)
{
	struct listener l[2] = {
		must_open("127.0.0.1:0"), must_open("127.0.0.1:0")};
	int fds[2] = {l[0].fd, l[1].fd}, set = listen_make_set(l, 1), client;
	size_t from = 77;

	(void)state;
	assert_true(set >= 0);
	client = connect_to(&l[1].address);
	assert_int_equal(listen_accept_from_set(set, fds, 2, &from), -EAGAIN);
	assert_int_equal(listen_set_add(set, &l[1], 1), 0);
	close(listen_accept_from_set(set, fds, 2, &from));
	assert_int_equal(from, 1);
	close(client);
	client = connect_to(&l[1].address);
	assert_int_equal(listen_set_remove(set, &l[1]), 0);
	assert_int_equal(listen_accept_from_set(set, fds, 2, &from), -EAGAIN);
	assert_int_equal(listen_set_remove(set, &l[1]), -ENOENT);
	close(client);
	close(set);
	listen_close(&l[0]);
	listen_close(&l[1]);
}

/* As any holder of a set may. */
static void
put_in(int set, int how, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	assert_int_equal(epoll_ctl(set, how, fd, &event), 0);
}

static void
test_a_set_that_somebody_has_changed_is_mended(void **state)
{
	static const bool in[3] = {true, true, false};
	struct listener l[3] = {must_open("127.0.0.1:0"),
		must_open("127.0.0.1:0"), must_open("127.0.0.1:0")};
	int fds[3] = {l[0].fd, l[1].fd, l[2].fd}, set = listen_make_set(l, 2);
	int client = connect_to(&l[1].address);
	size_t from;

	(void)state;
	assert_int_equal(listen_set_mend(set, l, in, 3), 0);
	assert_int_equal(listen_set_remove(set, &l[1]), 0);
	assert_int_equal(listen_set_mend(set, l, in, 3), 1);
	put_in(set, EPOLL_CTL_MOD, l[1].fd, 0, 1);
	assert_int_equal(listen_set_mend(set, l, in, 3), 1);
	put_in(set, EPOLL_CTL_MOD, l[1].fd, EPOLLIN, 0);
	assert_int_equal(listen_set_mend(set, l, in, 3), 1);
	put_in(set, EPOLL_CTL_MOD, l[1].fd, EPOLLIN, UINT64_MAX);
	assert_int_equal(listen_set_mend(set, l, in, 3), 1);
	assert_int_equal(listen_set_mend(set, l, in, 3), 0);
	close(listen_accept_from_set(set, fds, 3, &from));
	assert_int_equal(from, 1);
	close(client);
	close(set);
	for (size_t i = 0; i < 3; i++)
		listen_close(&l[i]);
}

static void
test_what_is_strange_in_a_set_is_noticed_and_passed_over(void **state)
{
	static const bool in[1] = {true};
	struct listener l = must_open("127.0.0.1:0");
	int set = listen_make_set(&l, 1), client = connect_to(&l.address);
	int strange[] = {eventfd(1, EFD_CLOEXEC), dup(l.fd)}, fd;
	size_t from;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		put_in(set, EPOLL_CTL_ADD, strange[i], EPOLLIN, 7 + i);
		assert_int_equal(listen_set_mend(set, &l, in, 1), -EUCLEAN);
		assert_int_equal(listen_set_remove(set, &l), 0);
		assert_int_equal(listen_set_mend(set, &l, in, 1), -EUCLEAN);
		wait_readable(set);
	}
	do
		fd = listen_accept_from_set(set, &l.fd, 1, &from);
	while (fd == -EAGAIN);
	assert_true(fd >= 0);
	close(fd);
	close(client);
	close(set);
	listen_close(&l);
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		close(strange[i]);
}

static void
test_a_set_that_is_none_is_an_error(void **state)
{
	struct listener l = must_open("127.0.0.1:0");
	struct listener none = {.fd = -1};
	size_t from;

	(void)state;
	assert_int_equal(listen_accept_from_set(-1, &l.fd, 1, &from), -EBADF);
	assert_int_equal(listen_make_set(&none, 1), -EBADF);
	listen_close(&l);
}

#define IN_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_listener_has_its_connections_have),
		cmocka_unit_test(
			test_connections_have_the_buffers_that_were_asked_for),
		cmocka_unit_test(test_what_the_kernel_cuts_is_told),
		cmocka_unit_test(
			test_who_has_said_nothing_waits_where_that_was_asked_for),
		cmocka_unit_test(
			test_as_many_clients_may_wait_as_listen_backlog_says),
		cmocka_unit_test(test_a_listener_is_tuned_while_it_listens),
		cmocka_unit_test(test_port_0_becomes_a_number),
		IN_PLACE(
			test_a_shut_listener_lets_nobody_in_though_others_hold_it),
		IN_PLACE(test_a_listener_that_somebody_has_shut_listens_again),
		IN_PLACE(
			test_a_listener_that_somebody_has_made_deaf_hears_again),
		cmocka_unit_test(test_one_socket_serves_both_families),
		cmocka_unit_test(test_a_port_in_use_names_the_program),
		cmocka_unit_test(
			test_two_listeners_of_ours_in_one_place_are_told),
		cmocka_unit_test(test_an_address_of_another_machine_is_told),
		cmocka_unit_test(test_a_low_port_needs_a_privilege),
		IN_PLACE(test_a_socket_file_has_its_mode_whatever_the_umask),
		IN_PLACE(test_a_socket_file_is_given_to_its_owner),
		IN_PLACE(test_what_a_killed_server_left_is_replaced),
		IN_PLACE(test_a_path_in_use_is_left_alone),
		IN_PLACE(test_a_socket_of_another_type_is_left_alone),
		IN_PLACE(test_what_is_no_socket_is_never_removed),
		IN_PLACE(test_a_bad_directory_is_named),
		IN_PLACE(test_a_file_that_is_not_ours_any_more_stays),
		cmocka_unit_test(test_an_abstract_name_leaves_nothing),
		IN_PLACE(test_a_socket_handed_over_is_taken),
		cmocka_unit_test(test_what_does_not_listen_is_not_taken),
		cmocka_unit_test(test_listeners_of_a_set_take_turns),
		cmocka_unit_test(test_twins_share_the_connections),
		cmocka_unit_test(test_an_address_that_others_share_is_in_use),
		cmocka_unit_test(test_a_set_changes_while_it_is_in_use),
		cmocka_unit_test(
			test_a_set_that_somebody_has_changed_is_mended),
		cmocka_unit_test(
			test_what_is_strange_in_a_set_is_noticed_and_passed_over),
		cmocka_unit_test(test_a_set_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
