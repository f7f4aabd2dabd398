/*
 * heir.c - taking over from another master: the new one's side of upgrade.c.
 *
 * All that can fail is done before anybody can see it: until our children
 * serve and our files wait under other names, the old master is the server.
 * Then the names are taken over at one moment, and only then is it told.
 */
#include "master/heir.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pidfile.h"
#include "config/config.h"
#include "control/control.h"
#include "master/activation.h"
#include "master/board.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heritage.h"
#include "master/master.h"
#include "master/master_priv.h"
#include "master/mutex.h"
#include "master/pool.h"
#include "master/predecessor.h"
#include "master/reap.h"
#include "master/relay.h"
#include "master/rundir.h"
#include "master/said.h"
#include "master/service.h"
#include "master/state.h"
#include "master/stop.h"
#include "mpm/mpm.h"
#include "net/handoff.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

enum { HERITAGE_MAX = 16 * 1024 * 1024 };

/* --- what was left ----------------------------------------------------------- */

static void
say_str(const struct heritage *h, const char *word, struct str more)
{
	struct str words[2] = {str_of(word), more};
	struct buf line = {0};

	/* Without its newline: a message has an end. */
	if (h->report >= 0 &&
		control_encode(&line, words, more.p != NULL ? 2 : 1) == 0)
		(void)send(h->report, line.data, line.len - 1,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_fini(&line);
}

static void
say(const struct heritage *h, const char *word, const char *more)
{
	say_str(h, word, more != NULL ? str_of(more) : (struct str){0});
}

static int
check_open(int fd, void *arg)
{
	(void)arg;
	return fd_set_cloexec(fd, true);
}

/* The memory file's number, when the variable is meant for this process; it is
 * removed in any case. */
static int
memory_of_variable(void)
{
	const char *value = getenv(HERITAGE_VARIABLE);
	int pid, fd, ret = -1;

	if (value != NULL && sscanf(value, "%d %d", &pid, &fd) == 2 &&
		pid == getpid() && fd > 2)
		ret = fd;
	unsetenv(HERITAGE_VARIABLE);
	return ret;
}

int
master_inherit(struct heritage **ret, struct err *err)
{
	AUTO_CLOSE int memory = memory_of_variable();
	AUTO_FREE char *text = NULL;
	struct heritage *h;
	size_t len;
	int rc;

	*ret = NULL;
	if (memory < 0)
		return 0;
	h = calloc(1, sizeof(*h));
	rc = h == NULL ? -ENOMEM
		       : fd_read_whole(memory, HERITAGE_MAX, &text, &len);
	if (rc < 0) {
		free(h);
		return err_set(err, -rc, "what the old master has left");
	}
	rc = heritage_decode(h, (struct str){text, len}, err);
	if (rc < 0) {
		free(h);
		return rc;
	}
	rc = heritage_each_fd(h, check_open, NULL);
	if (rc < 0) {
		heritage_disown(h);
		heritage_fini(h);
		free(h);
		return err_set(err, -rc, "what the old master has left");
	}
	say(h, "hello", NULL);
	*ret = h;
	return 0;
}

void
master_renounce(struct heritage *h, const char *reason)
{
	if (h == NULL)
		return;
	if (reason != NULL)
		say(h, "failed", reason);
	heritage_fini(h);
	free(h);
}

void
master_settle_trial(const struct heritage *h, struct config *c)
{
	if (h == NULL || h->way != HERITAGE_TRIAL || c->user != NULL ||
		geteuid() != 0)
		return;
	config_set(c, "AllowRoot", "On", "default");
	config_set(c, "User", "root", "default");
}

static bool
has_passed(const struct heritage *h)
{
	for (size_t i = 0; i < h->n_listeners; i++)
		if (h->listeners[i].passed)
			return true;
	return false;
}

void
master_settle_port(const struct heritage *h, struct config *c)
{
	if (h != NULL ? has_passed(h) : activation_is_due())
		config_forget_port(c);
}

bool
heir_waits(const struct master *m)
{
	return m->heritage != NULL && m->heritage->way != HERITAGE_IN_PLACE;
}

static void
say_log(const struct master *m, struct str lines)
{
	say_str(m->heritage, "log", lines);
}

void
heir_say_failed(const struct master *m, const char *reason)
{
	if (!heir_waits(m))
		return;
	said_each(m, say_log);
	say(m->heritage, "failed", reason);
}

void
heir_say_finishing(const struct master *m)
{
	if (heir_waits(m))
		say(m->heritage, "finishing", NULL);
}

void
master_tell_mistakes(const struct heritage *h, const struct config *c)
{
	const struct config_message *m;

	if (h == NULL)
		return;
	for (size_t i = 0; (m = config_message(c, i)) != NULL; i++)
		if (m->fatal)
			say(h, "log", m->text);
}

/* --- taking it --------------------------------------------------------------- */

int
heir_take_pool(struct master *m)
{
	struct heritage *h = m->heritage;

	if (h == NULL || h->pool_format != handoff_format())
		return 0;
	m->pool_give = h->give;
	m->pool_take = h->take;
	h->give = h->take = -1;
	return 1;
}

static int
take_passed(struct master *m, struct heritage_listener *l, struct err *err)
{
	int rc = activation_inherit(m, l->fd, l->asked, err);

	if (rc == 0)
		l->fd = -1;
	return rc;
}

static int
take_made(struct generation *g, struct heritage_listener *l, struct err *err)
{
	struct listener *to = &g->listeners[g->n_listeners];
	int rc = listen_inherit(to, l->fd, err);

	if (rc < 0)
		return rc;
	l->fd = -1;
	/* Its duty to remove the file comes with the names. */
	to->device = l->device;
	to->inode = l->inode;
	g->buckets[g->n_listeners] = l->bucket;
	strcpy(g->asked[g->n_listeners++], l->asked);
	return 0;
}

int
heir_take_listeners(struct master *m, struct err *err)
{
	struct heritage *h = m->heritage;
	struct generation *g = generation_before(h->n_listeners);
	int rc = 0;

	if (g == NULL)
		return err_set(err, ENOMEM, "listeners of the old master");
	m->before = g;
	m->last_generation = h->generation;
	for (size_t i = 0; rc == 0 && i < h->n_listeners; i++)
		rc = h->listeners[i].passed
			     ? take_passed(m, &h->listeners[i], err)
			     : take_made(g, &h->listeners[i], err);
	return rc;
}

/* The lock on the file at that path, if it was left to us; else -1. */
int
heir_take_pid_file(struct master *m, const char *path)
{
	struct heritage *h = m->heritage;
	struct heritage_file *f = NULL;
	int fd;

	if (h != NULL && h->own.fd >= 0 && file_is_at(path, h->own.fd))
		f = &h->own;
	else if (h != NULL && h->named.fd >= 0 && file_is_at(path, h->named.fd))
		f = &h->named;
	if (f == NULL)
		return -1;
	fd = f->fd;
	f->fd = -1;
	return fd;
}

/* The duty to remove them goes with the names. */
static void
take_socket_files(struct master *m)
{
	const struct heritage *h = m->heritage;
	struct generation *g = m->before;

	for (size_t i = 0; i < g->n_listeners; i++)
		for (size_t k = 0; k < h->n_listeners; k++)
			if (strcmp(g->asked[i], h->listeners[k].asked) == 0)
				g->listeners[i].unlink_path |=
					h->listeners[k].made;
	generation_succeed(m->now, g);
}

/* --- in place: what the process had before ------------------------------------ */

/* An order that was given goes on as it was given. */
static int64_t
deadline_of(const struct master *m, const struct heritage_child *left)
{
	const struct config *c = m->now->config;
	enum lifecycle life = left->life;
	int64_t ms = 0;

	if (life == LIFECYCLE_READY)
		return NEVER;
	if (left->deadline_ns > 0)
		return left->deadline_ns;
	if (life == LIFECYCLE_STARTING)
		ms = c->startup_timeout;
	else if (life == LIFECYCLE_DRAINING)
		ms = c->worker_drain_timeout;
	else if (life == LIFECYCLE_STOPPING)
		ms = CHILD_STOP_MS;
	return ms > 0 ? m->now_ns + ms * MS_NS : NEVER;
}

static void
take_child(struct master *m, struct child *c, struct heritage_child *left)
{
	bool going = left->life == LIFECYCLE_DRAINING ||
		     left->life == LIFECYCLE_STOPPING;

	*c = (struct child){
		.channel = {.fd = -1},
		.pid = left->pid,
		.slot = c->slot,
		.output = -1,
		.workers = left->workers,
		.life = left->life,
		.generation = left->generation,
		.ready_ns = left->life == LIFECYCLE_STARTING ? 0 : m->now_ns,
		.deadline_ns = deadline_of(m, left),
		.told = going,
	};
	board_show_child(m, c);
	if (left->channel >= 0 &&
		master_watch(m, &c->channel, left->channel, child_speaks) < 0) {
		c->killed = true;
		kill(c->pid, SIGKILL);
	}
	left->channel = -1;
}

/* Its own, which says its bucket too; make_slots has made enough for those
 * that were in a larger table. */
static struct child *
slot_for(struct master *m, const struct heritage_child *left)
{
	unsigned i = m->n_slots;

	if (left->slot < m->n_slots &&
		m->children[left->slot].life == LIFECYCLE_VACANT)
		return &m->children[left->slot];
	do
		i--;
	while (m->children[i].life != LIFECYCLE_VACANT);
	return &m->children[i];
}

static long long
new_secret(void)
{
	long long secret = 0;

	(void)!getrandom(&secret, sizeof(secret), GRND_NONBLOCK);
	return secret & LLONG_MAX;
}

void
heir_take_lines(struct master *m)
{
	struct heritage *h = m->heritage;

	log_set_secret(h != NULL && h->secret > 0 ? h->secret : new_secret());
	if (h == NULL || h->unsaid < 0)
		return;
	log_inherit(h->unsaid, h->lost);
	h->unsaid = -1;
}

void
heir_take_children(struct master *m)
{
	struct heritage *h = m->heritage;
	struct census census;

	if (heir_waits(m))
		return;
	take_socket_files(m);
	mutex_inherit(m);
	for (size_t i = 0; i < h->n_nursery; i++)
		take_child(m, slot_for(m, &h->nursery[i]), &h->nursery[i]);
	for (size_t i = 0; i < h->n_outputs; i++) {
		relay_inherit(m, &h->outputs[i]);
		h->outputs[i].fd = h->outputs[i].begun = -1;
	}
	for (size_t i = 0; i < h->n_clients; i++) {
		(void)control_adopt(m, h->clients[i]);
		h->clients[i] = -1;
	}
	/* Who has died meanwhile has sent his signal to the program before. */
	reap_children(m);
	census_take(m, &census);
	if (census.starting + census.ready == 0)
		return;
	m->phase = PHASE_RUNNING;
	m->reloading = true;
	m->turn_ns = m->now_ns + SECOND_NS;
}

/* --- becoming the server ----------------------------------------------------- */

/* As many as the old one had, so that nobody finds less than before. */
static int
goal(const struct master *m)
{
	long most = census_limit(m), n = m->now->config->start_servers;

	if (m->heritage->way == HERITAGE_TRIAL)
		return 1;
	if (n < (long)m->heritage->children)
		n = m->heritage->children;
	return (int)(n < most ? n : most);
}

static int
write_pid(struct pid_file *f, struct err *err)
{
	int rc = f->fd >= 0 ? pidfile_write(f->fd) : 0;

	if (rc < 0)
		return err_set(err, -rc, "pid file %s", f->path);
	f->foreign = false;
	return 0;
}

static void
let_go_of_heritage(struct master *m)
{
	master_renounce(m->heritage, NULL);
	m->heritage = NULL;
	generation_destroy(m->before);
	m->before = NULL;
}

/* The names, the fallible ones first. */
static int
take_names(struct master *m, struct err *err)
{
	int rc;

	if (control_open(m, err) < 0)
		log_warnx("master", "%s; going on without", err->text);
	rc = scoreboard_publish(m->scoreboard, err);
	if (rc == 0)
		rc = write_pid(&m->run.own, err);
	return rc == 0 ? write_pid(&m->run.named, err) : rc;
}

static void
take_over(struct master *m)
{
	pid_t from = m->heritage->from;
	struct err err = {0};

	if (take_names(m, &err) < 0) {
		master_fail(m, EXIT_FAILURE, err.text);
		return;
	}
	take_socket_files(m);
	log_notice("master", "taking over from pid %d", (int)from);
	say(m->heritage, "ready", m->heritage->give < 0 ? "pool" : "none");
	let_go_of_heritage(m);
	master_tell_shared(m, master_shares_sockets(m));
	master_announce(m);
	predecessor_watch(m, from);
	service_take_over(m);
}

/* It was only to be shown that we could. */
static void
end_trial(struct master *m)
{
	log_notice("master", "the trial has come to its end: it serves");
	m->pool_lives = m->heritage->give < 0;
	say(m->heritage, "ready", m->pool_lives ? "pool" : "none");
	stop_begin(m, true, NULL);
}

void
heir_child_ready(struct master *m)
{
	struct census census;

	census_take(m, &census);
	if (m->heritage->way == HERITAGE_IN_PLACE) {
		rundir_remove_left(m->heritage);
		let_go_of_heritage(m);
		master_announce(m);
		if (!m->reloading)
			control_reloaded(m, NULL);
		return;
	}
	if (m->phase != PHASE_RUNNING)
		return;
	say(m->heritage, "child", NULL);
	if (census.ready < goal(m))
		pool_owe(m, 1);
	else if (m->heritage->way == HERITAGE_TRIAL)
		end_trial(m);
	else
		take_over(m);
}
