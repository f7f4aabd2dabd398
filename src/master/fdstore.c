/*
 * fdstore.c - what systemd keeps for the next start: the listeners, with the
 * clients that wait in them, and the board, with what was counted.
 *
 * systemd hands them over as it does the sockets of a socket unit, to a server
 * that it restarts as well as to one that comes after a crash.  A listener is
 * known by its name, which is what was asked for: only one that is still asked
 * for is used, and what is not is given back before anything is bound, since it
 * would hold the port.
 *
 * Whether systemd keeps anything is the unit's decision (FileDescriptorStoreMax)
 * and nobody tells us.  So the last thing that it gets is one end of a pair of
 * sockets: where it was not kept, the other end hears of its closing.
 */
#include "master/fdstore.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"
#include "master/generation.h"
#include "master/master_priv.h"
#include "master/notify.h"
#include "master/state.h"
#include "net/address.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

enum { FDSTORE_NAME = 256 };

/* A descriptor that systemd keeps. */
struct stored {
	char name[FDSTORE_NAME];
	int fd; /* at the start: it was handed over; then -1 */
};

enum { BARRIER_MS = 2000 };

static const char prefix[] = "wsgid.";
static const char board_name[] = "wsgid.board";
static const char canary_name[] = "wsgid.canary";

/* --- names ----------------------------------------------------------------------- */

/* "wsgid.listen.-1.[::1]:80" with what such a name must not have in it, a colon
 * above all, as %xx.  False: it would be too long. */
static bool
put_name(char to[FDSTORE_NAME], const char *asked, int bucket)
{
	size_t n = (size_t)snprintf(
		to, FDSTORE_NAME, "%slisten.%d.", prefix, bucket);

	for (; *asked != '\0'; asked++) {
		unsigned char c = (unsigned char)*asked;

		if (n + 4 > FDSTORE_NAME)
			return false;
		if (c > ' ' && c < 127 && c != ':' && c != '%')
			to[n++] = (char)c;
		else
			n += (size_t)sprintf(to + n, "%%%02x", c);
	}
	to[n] = '\0';
	return true;
}

/* What two hexadecimal digits stand for; -1: these are not two. */
static int
take_digits(const char *p)
{
	char two[] = {p[0], p[0] != '\0' ? p[1] : '\0', '\0'};

	if (!isxdigit((unsigned char)two[0]) ||
		!isxdigit((unsigned char)two[1]))
		return -1;
	return (int)strtol(two, NULL, 16);
}

/* And back. */
static bool
take_name(const char *name, char asked[ADDRESS_TEXT], int *bucket)
{
	size_t n = 0;
	int len = 0;

	if (sscanf(name, "wsgid.listen.%d.%n", bucket, &len) != 1 || len == 0)
		return false;
	for (name += len; *name != '\0'; name++) {
		int c = *name == '%' ? take_digits(name + 1)
				     : (unsigned char)*name;

		if (n + 1 >= ADDRESS_TEXT || c <= 0)
			return false;
		if (*name == '%')
			name += 2;
		asked[n++] = (char)c;
	}
	asked[n] = '\0';
	return n > 0;
}

/* --- at the start ------------------------------------------------------------------ */

bool
fdstore_is_ours(const char *name)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

int
fdstore_take(struct master *m, int fd, const char *name, struct err *err)
{
	struct fdstore *s = &m->store;
	struct stored *more;

	(void)fd_set_cloexec(fd, true);
	if (strcmp(name, board_name) == 0) {
		fd_close(&s->board);
		s->board = fd;
		return 0;
	}
	if (strlen(name) >= FDSTORE_NAME || strcmp(name, canary_name) == 0) {
		close(fd);
		return 0;
	}
	more = reallocarray(s->list, s->n + 1, sizeof(*s->list));
	if (more == NULL)
		return err_set(err, ENOMEM, "descriptors kept by systemd");
	s->list = more;
	more[s->n].fd = fd;
	strcpy(more[s->n++].name, name);
	return 0;
}

static bool
asks_for(const struct config *c, const char *asked)
{
	for (size_t i = 0; i < c->n_listens; i++) {
		struct address addresses[ADDRESS_MOST];
		int n = address_parse(
			addresses, ADDRESS_MOST, c->listens[i].address, NULL);

		for (int k = 0; k < n; k++) {
			char text[ADDRESS_TEXT];

			address_format(&addresses[k], text);
			if (strcmp(text, asked) == 0)
				return true;
		}
	}
	return false;
}

static bool
has_bucket(const struct master *m, const struct listener *l, int bucket)
{
	if (m->n_buckets < 2 || l->address.any.sa_family == AF_UNIX)
		return bucket == EVERY_BUCKET;
	return bucket >= 0 && bucket < (int)m->n_buckets;
}

/* The file is what clients find the socket by. */
static bool
has_its_file(struct listener *l)
{
	const char *path = l->address.un.sun_path;
	struct stat st;

	if (l->address.any.sa_family != AF_UNIX || path[0] == '\0')
		return true;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	l->device = st.st_dev;
	l->inode = st.st_ino;
	l->unlink_path = true;
	return true;
}

/* One of before, if it is still asked for. */
static bool
restore(struct master *m, const struct config *c, struct generation *before,
	struct stored *kept)
{
	struct listener *l = &before->listeners[before->n_listeners];
	char asked[ADDRESS_TEXT];
	struct err err = {0};
	int bucket;

	if (m->n_passed > 0 || !take_name(kept->name, asked, &bucket) ||
		!asks_for(c, asked) || listen_adopt(l, kept->fd, &err) < 0 ||
		!has_bucket(m, l, bucket) || !has_its_file(l))
		return false;
	kept->fd = -1; /* the generation's */
	strcpy(before->asked[before->n_listeners], asked);
	before->buckets[before->n_listeners++] = bucket;
	return true;
}

static void
give_back(struct notify *n, struct stored *kept)
{
	notify_unstore(n, kept->name);
	fd_close(&kept->fd);
}

int
fdstore_restore(struct master *m, const struct config *c, struct err *err)
{
	struct fdstore *s = &m->store;
	struct generation *g;
	size_t n = 0;

	if (s->n == 0)
		return 0;
	g = generation_before(s->n);
	if (g == NULL)
		return err_set(err, ENOMEM, "descriptors kept by systemd");
	for (size_t i = 0; i < s->n; i++) {
		if (restore(m, c, g, &s->list[i]))
			s->list[n++] = s->list[i];
		else
			give_back(&m->notify, &s->list[i]);
	}
	/* Not before systemd has closed them the ports are free. */
	if (n < s->n)
		notify_barrier(&m->notify, BARRIER_MS);
	s->n = n;
	m->before = g;
	return 0;
}

/* --- keeping ------------------------------------------------------------------------ */

bool
fdstore_keeps(const struct master *m)
{
	return m->store.canary.fd >= 0;
}

static bool
is_kept(const struct fdstore *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->list[i].name, name) == 0)
			return true;
	return false;
}

static void
keep_listener(struct master *m, size_t i)
{
	const struct generation *g = m->now;
	struct fdstore *s = &m->store;
	struct stored one = {.fd = -1}, *more;

	if (!put_name(one.name, g->asked[i], g->buckets[i]) ||
		is_kept(s, one.name))
		return;
	more = reallocarray(s->list, s->n + 1, sizeof(*s->list));
	if (more == NULL)
		return;
	s->list = more;
	more[s->n++] = one;
	notify_store(&m->notify, g->listeners[i].fd, one.name);
}

void
fdstore_replace(struct master *m, size_t i)
{
	const struct generation *g = m->now;
	char name[FDSTORE_NAME];

	if (!put_name(name, g->asked[i], g->buckets[i]) ||
		!is_kept(&m->store, name))
		return;
	notify_unstore(&m->notify, name);
	notify_store(&m->notify, g->listeners[i].fd, name);
}

static bool
has_listener(const struct generation *g, const char *name)
{
	char own[FDSTORE_NAME];

	for (size_t i = 0; i < g->n_listeners; i++)
		if (put_name(own, g->asked[i], g->buckets[i]) &&
			strcmp(own, name) == 0)
			return true;
	return false;
}

static void
keep_listeners(struct master *m)
{
	const struct generation *g = m->now;
	struct fdstore *s = &m->store;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (has_listener(g, s->list[i].name))
			s->list[n++] = s->list[i];
		else
			give_back(&m->notify, &s->list[i]);
	}
	s->n = n;
	for (size_t i = 0; i < g->n_listeners; i++)
		keep_listener(m, i);
}

/* It may be that of the server before us that is there. */
static void
keep_board(struct master *m)
{
	AUTO_CLOSE int fd = -1;

	if (m->store.has_board)
		return;
	fd = scoreboard_export(m->scoreboard);
	if (fd < 0)
		return;
	notify_unstore(&m->notify, board_name);
	notify_store(&m->notify, fd, board_name);
	m->store.has_board = true;
}

static void
canary_died(struct master *m, struct source *s)
{
	master_forget(m, s);
	log_info("master",
		"systemd keeps no descriptors for the next start; "
		"FileDescriptorStoreMax=%zu in the unit would do",
		m->now->n_listeners + 2);
	master_tell_shared(m, master_shares_sockets(m));
}

static void
send_canary(struct master *m)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		    pair) < 0)
		return;
	notify_store(&m->notify, pair[1], canary_name);
	close(pair[1]);
	(void)master_watch(m, &m->store.canary, pair[0], canary_died);
}

void
fdstore_keep(struct master *m)
{
	if (!m->now->passed)
		keep_listeners(m);
	keep_board(m);
	/* The one before is kept no longer than we hold our end. */
	if (m->store.canary.fd >= 0)
		master_forget(m, &m->store.canary);
	send_canary(m);
	master_tell_shared(m, master_shares_sockets(m));
}

void
fdstore_close(struct master *m)
{
	struct fdstore *s = &m->store;

	if (s->canary.fd >= 0)
		master_forget(m, &s->canary);
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->list[i].fd);
	free(s->list);
	s->list = NULL;
	s->n = 0;
	fd_close(&s->board);
}
