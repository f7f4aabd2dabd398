/*
 * load.c - clients that never let go, and what they had to put up with.
 *
 * Each client asks again as soon as it has an answer, over one connection
 * for as long as the server keeps it.  A request that is lost is asked once
 * more, and its clock goes on: what is measured is how long somebody waited,
 * not how quick the answers were that came.  Who still waits in the end
 * counts for the longest wait as well.  Where the load itself was not let run
 * it says for how long, for that is no fault of the server.
 *
 * Slow clients send the first half of a head, and nothing more.
 *
 * In bursts all clients connect at the same moment, ask once and go.  One
 * burst a second, so that there are local ports for all of them, and none
 * before everybody of the last one has his answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)

enum {
	HEAD_SIZE = 8192,
	REST_MS = 10,       /* before a refused client tries again */
	SLOW_LEAD_MS = 300, /* of the slow clients before the others */
	STUCK_MS = 1000,    /* who has waited that long has no answer */
	BURST_MS = 1000,    /* from one burst to the next */
};

struct client {
	int fd; /* -1: not connected */
	bool slow;
	bool lost;         /* what it asks for now was asked for before */
	bool in_body;      /* the head was read */
	bool closes;       /* so the head has said */
	bool bad_status;   /* not 200 */
	long left;         /* bytes of the body; -1: until the end */
	int64_t wanted_ns; /* since when it waits; 0: it does not */
	int64_t rest_ns;   /* when it connects again; 0: it need not */
	size_t len;
	char head[HEAD_SIZE];
};

struct counts {
	uint64_t requests; /* that were answered 200, completely */
	uint64_t failed;   /* that had to be asked more than once */
	uint64_t statuses; /* that were answered otherwise */
	uint64_t closed;   /* connections, by the server */
	uint64_t refused;  /* attempts to connect */
	uint64_t stuck;    /* clients, in the end */
	uint64_t slow_closed;
};

struct load {
	struct sockaddr_in to;
	char request[1024];
	size_t request_len;
	int n_clients, n_slow, n_resting, n_waiting;
	bool in_bursts;
	int64_t duration_ns, burst_ns; /* when the next burst may be */
	int epoll;
	int64_t now_ns;
	struct client *clients; /* the slow ones after the others */
	struct counts counts;
	uint32_t *waits_us; /* of those that were answered */
	size_t n_waits, room;
	int64_t longest_ns;
	int64_t held_up_ns; /* longest time that we were not let run */
};

static int64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS_NS + t.tv_nsec;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- a connection -------------------------------------------------------------- */

static void
disconnect(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

/* Ask the same again, a little later. */
static void
try_again(struct load *l, struct client *c)
{
	disconnect(c);
	c->lost = true;
	c->rest_ns = l->now_ns + REST_MS * MS_NS;
	l->n_resting++;
}

/* The server, or the way to it, has ended the connection. */
static void
lose(struct load *l, struct client *c)
{
	l->counts.closed++;
	try_again(l, c);
}

static void
ask(struct load *l, struct client *c)
{
	size_t len = c->slow ? l->request_len / 2 : l->request_len;

	c->len = 0;
	c->in_body = false;
	/* Shorter than any socket's buffer: it goes at once or not at all. */
	if (send(c->fd, l->request, len, MSG_NOSIGNAL) != (ssize_t)len)
		lose(l, c);
}

static void
watch(struct load *l, struct client *c, int how, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (epoll_ctl(l->epoll, how, c->fd, &event) < 0)
		die("epoll_ctl");
}

static void
be_refused(struct load *l, struct client *c)
{
	l->counts.refused++;
	try_again(l, c);
}

static void
begin_connect(struct load *l, struct client *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
		errno != EINPROGRESS) {
		be_refused(l, c);
		return;
	}
	watch(l, c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void
end_connect(struct load *l, struct client *c)
{
	int why = 0;
	socklen_t len = sizeof(why);

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len);
	if (why != 0) {
		be_refused(l, c);
		return;
	}
	watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
	ask(l, c);
}

/* --- an answer ------------------------------------------------------------------ */

static void
keep_wait(struct load *l, int64_t ns)
{
	if (ns > l->longest_ns)
		l->longest_ns = ns;
	if (l->n_waits == l->room) {
		l->room = l->room == 0 ? 65536 : l->room * 2;
		l->waits_us = reallocarray(
			l->waits_us, l->room, sizeof(*l->waits_us));
		if (l->waits_us == NULL)
			die("memory");
	}
	l->waits_us[l->n_waits++] = (uint32_t)(ns / 1000);
}

static void
want(struct load *l, struct client *c)
{
	c->wanted_ns = l->now_ns;
	c->lost = false;
	if (c->fd < 0)
		begin_connect(l, c);
	else
		ask(l, c);
}

static void
be_answered(struct load *l, struct client *c)
{
	if (c->bad_status) {
		l->counts.statuses++;
		try_again(l, c);
		return;
	}
	l->counts.requests++;
	l->counts.failed += c->lost;
	keep_wait(l, l->now_ns - c->wanted_ns);
	l->counts.closed += c->closes;
	if (c->closes || l->in_bursts)
		disconnect(c);
	if (l->in_bursts) {
		c->wanted_ns = 0;
		l->n_waiting--;
	} else {
		want(l, c);
	}
}

/* A header's value, or NULL. */
static const char *
find(const struct client *c, const char *name)
{
	const char *at = strcasestr(c->head, name);

	return at != NULL ? at + strlen(name) : NULL;
}

/* 1 when the head is complete, 0 when not, -1 for what is none. */
static int
read_head(struct client *c)
{
	char *end = memmem(c->head, c->len, "\r\n\r\n", 4);
	const char *value;
	size_t head;

	if (end == NULL)
		return c->len < HEAD_SIZE - 1 ? 0 : -1;
	if (strncmp(c->head, "HTTP/1.", 7) != 0)
		return -1;
	*end = '\0';
	head = (size_t)(end - c->head) + 4;
	if (find(c, "\r\nTransfer-Encoding:") != NULL)
		return -1; /* nothing that is asked here has a reason for it */
	c->bad_status = strncmp(c->head + 8, " 200", 4) != 0;
	c->closes = find(c, "\r\nConnection: close") != NULL;
	value = find(c, "\r\nContent-Length:");
	c->left = value != NULL ? atol(value) - (long)(c->len - head) : -1;
	c->in_body = true;
	return 1;
}

static void
ended(struct load *l, struct client *c)
{
	if (c->slow) {
		l->counts.slow_closed++;
		disconnect(c);
	} else if (c->in_body && c->left < 0) {
		c->closes = true;
		be_answered(l, c);
	} else {
		lose(l, c);
	}
}

static void
take(struct load *l, struct client *c)
{
	/* A body needs no place: it is counted. */
	char *to = c->in_body ? c->head : c->head + c->len;
	size_t room = c->in_body ? HEAD_SIZE : HEAD_SIZE - 1 - c->len;
	ssize_t n = recv(c->fd, to, room, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		ended(l, c);
		return;
	}
	if (c->slow)
		return; /* 408, say; what counts is the end */
	if (c->in_body) {
		c->left -= c->left < 0 ? 0 : n;
	} else {
		c->len += (size_t)n;
		c->head[c->len] = '\0';
		if (read_head(c) < 0) {
			lose(l, c);
			return;
		}
	}
	if (c->in_body && c->left == 0)
		be_answered(l, c);
}

/* --- all of them ------------------------------------------------------------------ */

static void
make_clients(struct load *l)
{
	int n = l->n_clients + l->n_slow;

	l->clients = calloc((size_t)n, sizeof(*l->clients));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->clients == NULL || l->epoll < 0)
		die("clients");
	for (int i = 0; i < n; i++) {
		l->clients[i].fd = -1;
		l->clients[i].slow = i >= l->n_clients;
	}
}

static void
rouse(struct load *l)
{
	for (int i = 0; i < l->n_clients + l->n_slow; i++) {
		struct client *c = &l->clients[i];

		if (c->rest_ns == 0 || c->rest_ns > l->now_ns)
			continue;
		c->rest_ns = 0;
		l->n_resting--;
		begin_connect(l, c);
	}
}

static void
want_all(struct load *l)
{
	l->n_waiting = l->n_clients;
	l->burst_ns = l->now_ns + BURST_MS * MS_NS;
	for (int i = 0; i < l->n_clients; i++) {
		l->now_ns = clock_ns(); /* to connect takes its time, too */
		want(l, &l->clients[i]);
	}
}

static void
turn(struct load *l)
{
	struct epoll_event events[64];
	int n = epoll_wait(l->epoll, events, 64, REST_MS);
	int64_t before = l->now_ns;

	l->now_ns = clock_ns();
	if (l->now_ns - before - REST_MS * MS_NS > l->held_up_ns)
		l->held_up_ns = l->now_ns - before - REST_MS * MS_NS;
	for (int i = 0; i < n; i++) {
		struct client *c = events[i].data.ptr;

		if (events[i].events & EPOLLOUT)
			end_connect(l, c);
		else
			take(l, c);
	}
	if (l->n_resting > 0)
		rouse(l);
	if (l->in_bursts && l->n_waiting == 0 && l->now_ns >= l->burst_ns)
		want_all(l);
}

static void
run_until(struct load *l, int64_t end_ns)
{
	do
		turn(l);
	while (l->now_ns < end_ns);
}

static void
run(struct load *l)
{
	make_clients(l);
	l->now_ns = clock_ns();
	for (int i = l->n_clients; i < l->n_clients + l->n_slow; i++)
		want(l, &l->clients[i]);
	if (l->n_slow > 0)
		run_until(l, l->now_ns + SLOW_LEAD_MS * MS_NS);
	want_all(l);
	run_until(l, l->now_ns + l->duration_ns);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static unsigned
part(const struct load *l, double share)
{
	return l->n_waits == 0
		       ? 0
		       : l->waits_us[(size_t)((double)l->n_waits * share)];
}

/* Those who wait are no less of a result. */
static void
count_waiting(struct load *l)
{
	for (int i = 0; i < l->n_clients; i++) {
		const struct client *c = &l->clients[i];
		int64_t waits = l->now_ns - c->wanted_ns;

		if (c->wanted_ns == 0)
			continue;
		l->counts.failed += c->lost;
		l->counts.stuck += waits > STUCK_MS * MS_NS;
		if (waits > l->longest_ns)
			l->longest_ns = waits;
	}
}

/* One line of JSON. */
static void
report(struct load *l)
{
	const struct counts *n = &l->counts;

	count_waiting(l);
	if (l->n_waits > 0)
		qsort(l->waits_us, l->n_waits, sizeof(*l->waits_us), compare);
	printf("{\"requests\": %llu, \"failed\": %llu, \"statuses\": %llu, "
	       "\"closed\": %llu, \"refused\": %llu, \"stuck\": %llu, "
	       "\"slow_closed\": %llu, \"p50_us\": %u, \"p99_us\": %u, "
	       "\"longest_us\": %lld, \"held_up_us\": %lld}\n",
		(unsigned long long)n->requests, (unsigned long long)n->failed,
		(unsigned long long)n->statuses, (unsigned long long)n->closed,
		(unsigned long long)n->refused, (unsigned long long)n->stuck,
		(unsigned long long)n->slow_closed, part(l, 0.5), part(l, 0.99),
		(long long)(l->longest_ns / 1000),
		(long long)(l->held_up_ns / 1000));
}

static void
forget(struct load *l)
{
	free(l->clients);
	free(l->waits_us);
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("usage: load [-c CLIENTS] [-d SECONDS] [-s SLOW CLIENTS] "
	      "[-p PATH] [-b] PORT\n"
	      "\n"
	      "Clients in a closed loop on 127.0.0.1, or with -b in bursts; one "
	      "line of JSON tells how they fared.\n",
		stderr);
	exit(2);
}

static long
number(const char *text, long least, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end != '\0' || value < least || value > most) {
		fprintf(stderr, "load: %s: a number from %ld to %ld\n", text,
			least, most);
		exit(2);
	}
	return value;
}

/* Descriptors for all of them, where the usual limit is lower. */
static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

int
main(int argc, char **argv)
{
	struct load l = {.n_clients = 1, .duration_ns = 1000 * MS_NS};
	const char *path = "/";
	int option, n;

	while ((option = getopt(argc, argv, "c:d:s:p:b")) != -1) {
		if (option == 'c')
			l.n_clients = (int)number(optarg, 0, 10000);
		else if (option == 'd')
			l.duration_ns = number(optarg, 1, 86400) * 1000 * MS_NS;
		else if (option == 's')
			l.n_slow = (int)number(optarg, 0, 10000);
		else if (option == 'p')
			path = optarg;
		else if (option == 'b')
			l.in_bursts = true;
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	l.to.sin_family = AF_INET;
	l.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l.to.sin_port = htons((uint16_t)number(argv[optind], 1, 65535));
	n = snprintf(l.request, sizeof(l.request),
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
	if (n < 0 || (size_t)n >= sizeof(l.request))
		usage();
	l.request_len = (size_t)n;
	raise_file_limit();
	run(&l);
	report(&l);
	forget(&l);
	return 0;
}
