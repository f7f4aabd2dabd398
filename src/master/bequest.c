/*
 * bequest.c - what a master leaves to the one that follows it.  See bequest.h.
 */
#include "master/bequest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidfile.h"
#include "base/workdir.h"
#include "master/birth.h"
#include "master/census.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/relay.h"
#include "master/state.h"
#include "net/handoff.h"
#include "net/listen.h"

static int
copy_file(struct heritage_file *to, const struct pid_file *f)
{
	if (f->fd < 0)
		return 0;
	to->path = strdup(f->path);
	if (to->path == NULL)
		return -ENOMEM;
	to->fd = f->fd;
	return 0;
}

static int
gather_listeners(const struct master *m, struct heritage *h)
{
	const struct generation *g = m->now;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_listeners; i++) {
		struct heritage_listener l = {
			.fd = g->listeners[i].fd,
			.passed = g->passed,
			.made = g->listeners[i].unlink_path,
			.device = g->listeners[i].device,
			.inode = g->listeners[i].inode,
			.bucket = g->buckets[i],
		};

		strcpy(l.asked, g->asked[i]);
		rc = heritage_add_listener(h, &l);
	}
	return rc;
}

static int
gather_children(const struct master *m, struct heritage *h)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < m->n_slots; i++) {
		const struct child *c = &m->children[i];
		struct heritage_child left = {
			.slot = c->slot,
			.pid = c->pid,
			.generation = c->generation,
			.life = c->life,
			.channel = c->channel.fd,
			.workers = c->workers,
			.deadline_ns = c->deadline_ns,
		};

		/* One that a template has not forked yet will find its channel
		 * closed, and so does the template. */
		if (c->life != LIFECYCLE_VACANT && !birth_expected(c))
			rc = heritage_add_child(h, &left);
	}
	return rc;
}

int
bequest_gather(struct master *m, enum heritage_way way, struct heritage *h)
{
	struct census census;
	int rc;

	census_take(m, &census);
	heritage_init(h);
	h->way = way;
	h->from = getpid();
	h->generation = m->last_generation;
	h->children = (unsigned)(census.starting + census.ready);
	h->buckets = m->n_buckets;
	h->files = m->files;
	h->give = m->pool_give;
	h->take = m->pool_take;
	h->pool_format = handoff_format();
	rc = copy_file(&h->own, &m->run.own);
	if (rc == 0)
		rc = copy_file(&h->named, &m->run.named);
	if (rc == 0)
		rc = gather_listeners(m, h);
	if (rc < 0 || way != HERITAGE_IN_PLACE)
		return rc;
	rc = gather_children(m, h);
	if (rc == 0)
		rc = relay_bequeath(m, h);
	/* After the last line. */
	h->unsaid = log_bequeath(&h->lost);
	h->secret = log_secret();
	return rc == 0 ? control_bequeath(m, h) : rc;
}

int
bequest_write(const struct heritage *h)
{
	AUTO_CLOSE int fd = memfd_create("wsgid-heritage", MFD_CLOEXEC);
	struct buf text = {0};
	int rc = fd < 0 ? -errno : heritage_encode(h, &text);

	if (rc == 0)
		rc = fd_write_all(fd, text.data, text.len);
	buf_fini(&text);
	if (rc < 0)
		return rc;
	return fd_take(&fd);
}

/* --- to the program of the next ---------------------------------------------- */

static int
hold_open(int fd, void *arg)
{
	(void)arg;
	return fd_set_cloexec(fd, false);
}

/* systemd's watchdog is fed by the process that this names. */
static void
feed_watchdog(const struct heritage *h)
{
	const char *meant = getenv("WATCHDOG_PID");
	char own[16];

	if (meant == NULL || strtol(meant, NULL, 10) != h->from)
		return;
	snprintf(own, sizeof(own), "%d", (int)getpid());
	(void)setenv("WATCHDOG_PID", own, 1);
}

static int
say_in_environment(int memory)
{
	char who_and_where[32];

	snprintf(who_and_where, sizeof(who_and_where), "%d %d", (int)getpid(),
		memory);
	if (setenv(HERITAGE_VARIABLE, who_and_where, 1) < 0)
		return -errno;
	return workdir_bequeath();
}

int
bequest_execute(const struct master *m, const struct heritage *h, int memory)
{
	int rc = heritage_each_fd(h, hold_open, NULL);

	if (rc == 0)
		rc = fd_set_cloexec(memory, false);
	if (rc == 0)
		rc = say_in_environment(memory);
	if (rc == 0) {
		feed_watchdog(h);
		(void)setrlimit(RLIMIT_NOFILE, &m->files);
		execve(m->order->program, m->order->argv, environ);
		rc = -errno;
	}
	unsetenv(HERITAGE_VARIABLE);
	workdir_keep();
	return rc;
}

/* --- which did not come about ------------------------------------------------- */

static int
hold_no_more(int fd, void *arg)
{
	(void)arg;
	(void)fd_set_cloexec(fd, true);
	return 0;
}

/* What was made for it alone. */
static void
close_memory(struct heritage *h)
{
	fd_close(&h->unsaid);
	for (size_t i = 0; i < h->n_outputs; i++)
		fd_close(&h->outputs[i].begun);
}

void
bequest_revoke(struct heritage *h)
{
	(void)heritage_each_fd(h, hold_no_more, NULL);
	close_memory(h);
	heritage_disown(h);
	heritage_fini(h);
}
