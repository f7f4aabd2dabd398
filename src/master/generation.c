/*
 * generation.c - what the children of one generation have in common.
 *
 * A generation owns descriptors of its own even for a socket that it shares
 * with the one before, so either can be given up without a look at the
 * other.  What cannot be shared is the duty to remove a socket file: it is
 * the older one's until the younger has succeeded it.
 */
#include "master/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"
#include "master/activation.h"
#include "master/buckets.h"
#include "master/journal.h"
#include "master/logs.h"
#include "master/python.h"
#include "master/state.h"
#include "net/address.h"
#include "net/listen.h"

enum { DEFER_S = 30 }; /* Apache's */

struct generation *
generation_before(size_t n)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->set = g->config_fd = g->error_log = -1;
	g->listeners = calloc(n + 1, sizeof(*g->listeners));
	g->asked = calloc(n + 1, sizeof(*g->asked));
	g->buckets = calloc(n + 1, sizeof(*g->buckets));
	g->protocols = calloc(n + 1, sizeof(*g->protocols));
	if (g->listeners != NULL && g->asked != NULL && g->buckets != NULL &&
		g->protocols != NULL)
		return g;
	generation_destroy(g);
	return NULL;
}

static int
make_room(struct generation *g)
{
	struct listener *listeners;
	char(*asked)[ADDRESS_TEXT];
	size_t n = g->n_listeners + 1;
	char *protocols;
	int *buckets;

	listeners = realloc(g->listeners, n * sizeof(*listeners));
	if (listeners == NULL)
		return -ENOMEM;
	g->listeners = listeners;
	asked = realloc(g->asked, n * sizeof(*asked));
	if (asked == NULL)
		return -ENOMEM;
	g->asked = asked;
	buckets = realloc(g->buckets, n * sizeof(*buckets));
	if (buckets == NULL)
		return -ENOMEM;
	g->buckets = buckets;
	protocols = realloc(g->protocols, n + 1);
	if (protocols == NULL)
		return -ENOMEM;
	g->protocols = protocols;
	return 0;
}

static void
count_in(struct generation *g, const char *asked, int bucket)
{
	strcpy(g->asked[g->n_listeners], asked);
	g->protocols[g->n_listeners] = '0' + CONFIG_PROXY_OFF;
	g->buckets[g->n_listeners++] = bucket;
	g->protocols[g->n_listeners] = '\0';
}

void
generation_mark(
	struct generation *g, size_t first, const struct config_listen *l)
{
	int scheme = l->https ? CONFIG_LISTENER_HTTPS : 0;

	for (size_t i = first; i < g->n_listeners; i++)
		g->protocols[i] = (char)('0' + (l->proxy_protocol | scheme));
}

/* Append a duplicate of a socket that somebody else goes on owning. */
int
generation_share(struct generation *g, const struct listener *l,
	const char *asked, int bucket, struct err *err)
{
	struct listener *mine;
	int fd;

	if (make_room(g) < 0)
		return err_set(err, ENOMEM, "Listen %s", asked);
	fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set(err, errno, "Listen %s", asked);
	mine = &g->listeners[g->n_listeners];
	*mine = *l;
	mine->fd = fd;
	mine->unlink_path = false;
	count_in(g, asked, bucket);
	return 0;
}

static int
deferral(const struct config *c)
{
	return c->accept_filter ? DEFER_S : 0;
}

static int
find_options(struct listen_options *ret, const struct config *c,
	const struct config_listen *l, struct err *err)
{
	*ret = (struct listen_options){
		.backlog = (int)c->listen_backlog,
		.defer = deferral(c),
		.send_buffer = (int)c->send_buffer_size,
		.receive_buffer = (int)c->receive_buffer_size,
		.mode = l->mode < 0 ? 0666 : (mode_t)l->mode,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
	};
	if (l->owner != NULL) {
		struct account account;
		int rc = account_find_user(l->owner, &account, err);

		if (rc < 0)
			return rc;
		ret->owner = account.uid;
	}
	return l->group != NULL ? account_find_group(l->group, &ret->group, err)
				: 0;
}

/* The socket of this bucket for what was asked for, or NULL. */
static const struct listener *
find_listener(const struct generation *g, const char *asked, int bucket)
{
	for (size_t i = 0; g != NULL && i < g->n_listeners; i++)
		if (g->buckets[i] == bucket && strcmp(g->asked[i], asked) == 0)
			return &g->listeners[i];
	return NULL;
}

static int
open_listener(struct generation *g, const struct address *address,
	const struct config_listen *l, const char *asked, int bucket,
	struct err *err)
{
	const struct listener *first = NULL;
	struct listen_options options;
	int rc = find_options(&options, g->config, l, err);

	if (rc < 0)
		return rc;
	if (make_room(g) < 0)
		return err_set(err, ENOMEM, "Listen %s", asked);
	if (bucket > 0)
		first = find_listener(g, asked, 0);
	if (first != NULL)
		rc = listen_open_twin(
			&g->listeners[g->n_listeners], first, &options, err);
	else
		rc = listen_open(
			&g->listeners[g->n_listeners], address, &options, err);
	if (rc == 0)
		count_in(g, asked, bucket);
	return rc;
}

/* One socket, or one for each bucket where there can be several. */
static int
add_listener(struct generation *g, const struct generation *before,
	const struct address *address, const struct config_listen *l,
	struct err *err)
{
	bool shared = g->n_buckets < 2 || address->any.sa_family == AF_UNIX;
	int last = shared ? EVERY_BUCKET : (int)g->n_buckets - 1;
	char asked[ADDRESS_TEXT];
	int rc = 0;

	address_format(address, asked);
	for (int i = shared ? EVERY_BUCKET : 0; rc == 0 && i <= last; i++) {
		const struct listener *there = find_listener(before, asked, i);

		rc = there != NULL && !listen_is_lost(there)
			     ? generation_share(g, there, asked, i, err)
			     : open_listener(g, address, l, asked, i, err);
	}
	return rc;
}

/* What somebody else has opened, or an earlier generation.  The backlog of a
 * passed socket is the unit's, as is what it defers (DeferAcceptSec=). */
static void
tune(const struct generation *g)
{
	const struct config *c = g->config;
	const struct listen_options options = {
		.backlog = g->passed ? 0 : (int)c->listen_backlog,
		.defer = g->passed ? -1 : deferral(c),
		.send_buffer = (int)c->send_buffer_size,
		.receive_buffer = (int)c->receive_buffer_size,
	};

	for (size_t i = 0; i < g->n_listeners; i++) {
		int rc = listen_tune(&g->listeners[i], &options);

		if (rc < 0)
			log_warnx("master",
				"Listen %s goes on with the backlog and "
				"buffers that it had: %s",
				g->asked[i], strerror(-rc));
	}
}

static int
add_passed(struct generation *g, struct master *m, struct err *err)
{
	int rc = activation_share(m, g, err);

	g->passed = true;
	if (rc >= 0 && m->now == NULL)
		tune(g);
	return rc < 0 ? rc : 0;
}

static bool
names_passed(const struct config *c)
{
	for (size_t i = 0; i < c->n_listens; i++)
		if (activation_names(c->listens[i].address))
			return true;
	return false;
}

/* All addresses behind one Listen. */
static int
open_listen(struct generation *g, const struct generation *before,
	const struct config_listen *l, struct err *err)
{
	struct address addresses[ADDRESS_MOST];
	int n = address_parse(addresses, ADDRESS_MOST, l->address, err);
	int rc = n < 0 ? n : 0;

	for (int j = 0; rc == 0 && j < n; j++)
		rc = add_listener(g, before, &addresses[j], l, err);
	if (rc < 0 && config_where(g->config, "Listen")[0] != '\0')
		err_at(err, l->where);
	return rc;
}

/* Which Listen a unix: listener is of. */
static const struct config_listen *
find_listen(const struct config *c, const char *asked)
{
	for (size_t i = 0; i < c->n_listens; i++) {
		struct address address;
		struct err err = {0};
		char text[ADDRESS_TEXT];

		if (address_parse(&address, 1, c->listens[i].address, &err) < 1)
			continue;
		address_format(&address, text);
		if (strcmp(text, asked) == 0)
			return &c->listens[i];
	}
	return NULL;
}

int
generation_open_again(struct generation *g, size_t i, struct err *err)
{
	const struct config_listen *listen =
		find_listen(g->config, g->asked[i]);
	struct listener *old = &g->listeners[i], made;
	struct listen_options options;
	int rc;

	if (g->passed || listen == NULL)
		return err_setx(err, EINVAL,
			"it is systemd's, whose socket unit has to be "
			"restarted first");
	rc = find_options(&options, g->config, listen, err);
	if (rc == 0)
		rc = listen_open(&made, &old->address, &options, err);
	if (rc < 0)
		return rc;
	/* The path is the new one's. */
	fd_close(&old->fd);
	*old = made;
	return 0;
}

/* What a Listen says of a socket file that was made before it did.  What it does not say
 * stays as it is, which somebody may have changed by hand. */
static void
give_files(const struct generation *g)
{
	for (size_t i = 0; i < g->n_listeners; i++) {
		const struct config_listen *listen = NULL;
		struct listen_options options;
		struct err err = {0};

		if (g->listeners[i].unlink_path)
			listen = find_listen(g->config, g->asked[i]);
		if (listen == NULL)
			continue;
		if (find_options(&options, g->config, listen, &err) == 0) {
			if (listen->mode < 0)
				options.mode = (mode_t)-1;
			(void)listen_give_file(
				&g->listeners[i], &options, &err);
		}
		if (err.code != 0)
			log_warnx("master",
				"%s: the socket file stays as it is", err.text);
	}
}

static int
open_listeners(struct generation *g, struct master *m,
	const struct generation *before, struct err *err)
{
	const struct config *c = g->config;

	if (m->n_passed > 0 || names_passed(c))
		return add_passed(g, m, err);
	for (size_t i = 0; i < c->n_listens; i++) {
		size_t first = g->n_listeners;
		int rc = open_listen(g, before, &c->listens[i], err);

		if (rc < 0)
			return rc;
		generation_mark(g, first, &c->listens[i]);
	}
	return 0;
}

static int
make_set(struct generation *g, struct err *err)
{
	if (g->n_buckets > 1)
		return buckets_make_sets(g, err);
	if (g->n_listeners < 2)
		return 0;
	g->set = listen_make_set(g->listeners, g->n_listeners);
	return g->set < 0 ? err_set(err, -g->set, "epoll set of the listeners")
			  : 0;
}

bool
generation_has_sets(const struct generation *g)
{
	return g->set >= 0 || g->bucket_sets != NULL;
}

int
generation_mend_sets(const struct generation *g)
{
	bool *in;
	int rc;

	if (g->bucket_sets != NULL)
		return buckets_mend_sets(g);
	in = calloc(g->n_listeners + 1, sizeof(*in));
	if (in == NULL)
		return -ENOMEM;
	memset(in, true, g->n_listeners);
	rc = listen_set_mend(g->set, g->listeners, in, g->n_listeners);
	free(in);
	return rc;
}

static void
close_sets(struct generation *g)
{
	fd_close(&g->set);
	buckets_close_sets(g);
}

int
generation_renew_sets(struct generation *g, struct err *err)
{
	struct generation made = *g;
	int rc;

	made.set = -1;
	made.bucket_sets = NULL;
	made.lent = NULL;
	rc = make_set(&made, err);
	if (rc < 0) {
		close_sets(&made);
		return rc;
	}
	close_sets(g);
	g->set = made.set;
	g->bucket_sets = made.bucket_sets;
	g->lent = made.lent;
	return 0;
}

/* A child could reopen its descriptor for writing, so the text is sealed. */
int
generation_write_config(struct generation *g, struct err *err)
{
	AUTO_CLOSE int fd =
		memfd_create("wsgid-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct config named = *g->config;
	struct buf text = {0};
	int rc;

	/* The configuration knows no port but the 0 that was asked for. */
	if (g->name != NULL && g->name[0] != '\0')
		named.name = g->name;
	if (g->n_listeners > 0)
		named.listener_protocols = g->protocols;
	rc = fd < 0 ? -errno : config_dump(&named, &text);

	if (rc == 0 && buf_failed(&text))
		rc = -ENOMEM;
	if (rc == 0)
		rc = fd_write_all(fd, text.data, text.len);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS,
			       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
				       F_SEAL_SEAL) < 0)
		rc = -errno;
	buf_fini(&text);
	if (rc < 0)
		return err_set(err, -rc, "configuration for the children");
	fd_close(&g->config_fd);
	g->config_fd = fd_take(&fd);
	return 0;
}

static int
open_logs(struct generation *g, struct err *err)
{
	const struct config *c = g->config;

	if (logs_is_journald(c)) {
		int rc = journal_check(err);

		if (rc < 0)
			return rc;
	} else if (c->error_log != NULL && strcmp(c->error_log, "-") != 0) {
		g->error_log =
			logs_open("ErrorLog", c->error_log, STDERR_FILENO, err);
		if (g->error_log < 0) {
			err_at(err, config_where(c, "ErrorLog"));
			return g->error_log;
		}
	}
	g->logs = calloc(c->n_access_logs + 1, sizeof(*g->logs));
	if (g->logs == NULL)
		return err_set(err, ENOMEM, "CustomLog");
	while (g->n_logs < c->n_access_logs) {
		int fd = logs_open("CustomLog",
			c->access_logs[g->n_logs].target, STDOUT_FILENO, err);

		if (fd < 0) {
			err_at(err, config_where_access_log(c, g->n_logs));
			return fd;
		}
		g->logs[g->n_logs++] = fd;
	}
	return 0;
}

int
generation_create(struct generation **ret, struct master *m, struct config *c,
	const struct generation *before, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	int rc;

	if (g == NULL)
		return err_set(err, ENOMEM, "a new generation");
	g->config = c;
	g->name = m->name;
	g->n_buckets = m->n_buckets;
	g->set = g->config_fd = g->error_log = -1;
	rc = open_listeners(g, m, before, err);
	if (rc == 0)
		rc = make_set(g, err);
	if (rc == 0)
		rc = open_logs(g, err);
	if (rc == 0)
		rc = generation_write_config(g, err);
	if (rc < 0) {
		g->config = NULL; /* stays the caller's */
		generation_destroy(g);
		return rc;
	}
	g->number = ++m->last_generation;
	*ret = g;
	return 0;
}

static void
close_logs(struct generation *g)
{
	fd_close(&g->error_log);
	for (size_t i = 0; i < g->n_logs; i++)
		fd_close(&g->logs[i]);
	free(g->logs);
	g->logs = NULL;
	g->n_logs = 0;
}

/* All of them or none: a log that cannot be opened goes on in the old file,
 * and so do those that could be. */
int
generation_reopen_logs(struct generation *g, struct err *err)
{
	struct generation opened = {.config = g->config, .error_log = -1};
	int rc = open_logs(&opened, err);

	if (rc < 0) {
		close_logs(&opened);
		return rc;
	}
	close_logs(g);
	g->error_log = opened.error_log;
	g->logs = opened.logs;
	g->n_logs = opened.n_logs;
	return 0;
}

int
generation_set_log_level(
	struct generation *g, enum log_level level, struct err *err)
{
	int before = g->config->log_level, rc;

	g->config->log_level = level;
	rc = generation_write_config(g, err);
	if (rc < 0)
		g->config->log_level = before;
	return rc;
}

int
generation_set_processes(struct generation *g, long n, struct err *err)
{
	struct config kept = *g->config;
	int rc;

	config_scale(g->config, n);
	rc = generation_write_config(g, err);
	if (rc < 0)
		*g->config = kept;
	return rc;
}

static void
say_cut(const char *directive, long asked, int granted, const char *limit)
{
	if (asked > granted)
		log_warnx("master",
			"%s %ld: the kernel grants %d bytes; raise %s for more",
			directive, asked, granted, limit);
}

void
generation_check_buffers(const struct generation *g)
{
	const struct config *c = g->config;

	/* All have the same. */
	for (size_t i = 0; i < g->n_listeners; i++) {
		int send, receive;

		if (g->listeners[i].address.any.sa_family == AF_UNIX ||
			listen_buffers(&g->listeners[i], &send, &receive) < 0)
			continue;
		say_cut("SendBufferSize", c->send_buffer_size, send,
			"net.core.wmem_max");
		say_cut("ReceiveBufferSize", c->receive_buffer_size, receive,
			"net.core.rmem_max");
		return;
	}
}

void
generation_succeed(struct generation *g, struct generation *before)
{
	tune(g);
	for (size_t i = 0; i < g->n_listeners; i++) {
		for (size_t j = 0; j < before->n_listeners; j++) {
			if (strcmp(g->asked[i], before->asked[j]) != 0)
				continue;
			g->listeners[i].unlink_path |=
				before->listeners[j].unlink_path;
			before->listeners[j].unlink_path = false;
		}
	}
	give_files(g);
}

void
generation_close_listeners(struct generation *g)
{
	for (size_t i = 0; i < g->n_listeners; i++)
		listen_close(&g->listeners[i]);
	g->n_listeners = 0;
	close_sets(g);
}

void
generation_destroy(struct generation *g)
{
	if (g == NULL)
		return;
	generation_close_listeners(g);
	free(g->listeners);
	free(g->asked);
	free(g->buckets);
	free(g->protocols);
	fd_close(&g->config_fd);
	close_logs(g);
	python_forget(g);
	config_destroy(g->config);
	free(g);
}
