/*
 * spawn.c - starting a child.
 *
 * The child is a program of its own: forked, then exec'ed, with descriptors
 * at fixed numbers and one argument.  What must not cross: our signal mask and
 * dispositions, or the application's own subprocesses would inherit them; those
 * variables of the environment that were meant for us (environment.c); and rights
 * that the application could have before it has lost them (apart.c).
 */
#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/config.h"
#include "master/apart.h"
#include "master/buckets.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/master_priv.h"
#include "master/mutex.h"
#include "master/relay.h"
#include "master/state.h"
#include "master/template.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "net/inherit.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

/* Room for the child's title in what ps(1) reads. */
static char title_base[] = "wsgid: child, starting                      ";

/* Everything that is needed after the fork. */
struct launch {
	int *fds; /* from descriptor 3 on */
	size_t n_fds;
	size_t first_log; /* of them */
	int output;
	char argument[INHERIT_ARGUMENT];
};

/* The lowest, of the bucket that needs a child most. */
static struct child *
find_vacant(struct master *m, const struct generation *g)
{
	struct child *any = NULL;
	unsigned bucket = buckets_neediest(m, g->number);

	for (unsigned i = 0; i < m->n_slots; i++) {
		if (m->children[i].life != LIFECYCLE_VACANT)
			continue;
		if (buckets_of_slot(m, i) == bucket)
			return &m->children[i];
		if (any == NULL)
			any = &m->children[i];
	}
	return any;
}

/* --- in the child ----------------------------------------------------------- */

void
spawn_reset_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP && i != signal_traceback())
			sigaction(i, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

/* The exit status tells whether to try again makes sense. */
static int
status_of(int code)
{
	switch (code) {
	case EAGAIN:
	case ENOMEM:
	case ENFILE:
	case EMFILE:
	case ETXTBSY: /* being installed at this moment */
		return CHILD_EXIT_SICK;
	default:
		return CHILD_EXIT_CONFIG;
	}
}

static void __attribute__((noreturn)) become_child(const struct master *m,
	const struct generation *g, const struct launch *l)
{
	char *argv[] = {title_base, (char *)l->argument, NULL};
	struct err err = {0};
	int rc;

	spawn_reset_signals();
	(void)setrlimit(RLIMIT_NOFILE, &m->files);
	if (dup2(m->null_fd, STDIN_FILENO) < 0 ||
		dup2(l->output, STDOUT_FILENO) < 0 ||
		dup2(l->output, STDERR_FILENO) < 0)
		_exit(CHILD_EXIT_SICK);
	rc = inherit_arrange(l->fds, l->n_fds);
	if (rc < 0) {
		say(log_mark());
		say("<3>[child] descriptors of a child cannot be arranged\n");
		_exit(CHILD_EXIT_SICK);
	}
	if (apart_go(g, &err) < 0) {
		(void)channel_send(INHERIT_CHANNEL, CHANNEL_FAILED, 0, err.text,
			NULL, 0);
		_exit(CHILD_EXIT_FATAL);
	}
	execve(g->python.program, argv, g->environment);
	rc = errno;
	say(log_mark());
	say("<3>[child] ");
	say(g->python.program);
	say(" cannot be executed: ");
	say(strerrordesc_np(rc));
	/* Who is the user already may have too many processes for it. */
	say(rc == EAGAIN ? ": see ulimit -u, LimitNPROC=\n" : "\n");
	_exit(status_of(rc));
}

/* --- in the master ---------------------------------------------------------- */

/* What connects a process with the master: both ends of both. */
struct ends {
	int channel, far_channel;
	int output, far_output;
};

static void
close_ends(struct ends *e)
{
	fd_close(&e->channel);
	fd_close(&e->far_channel);
	fd_close(&e->output);
	fd_close(&e->far_output);
}

static int
open_ends(struct ends *e, struct err *err)
{
	int output[2], rc;

	*e = (struct ends){-1, -1, -1, -1};
	rc = channel_pair(&e->channel, &e->far_channel);
	if (rc < 0)
		return err_set(err, -rc, "channel of a child");
	if (pipe2(output, O_CLOEXEC) < 0) {
		rc = err_set(err, errno, "output of a child");
		close_ends(e);
		return rc;
	}
	e->output = output[0];
	e->far_output = output[1];
	return 0;
}

/* The process has its ends: ours are the caller's now. */
static void
give_ends(struct ends *e, pid_t pid, struct spawned *ret)
{
	fd_close(&e->far_channel);
	fd_close(&e->far_output);
	*ret = (struct spawned){pid, e->channel, e->output};
}

enum inherit_warm_up
spawn_warm_up(const struct master *m, const struct generation *g)
{
	if (!g->served)
		return INHERIT_WARM_ONLY;
	return m->now_ns < g->cold_until_ns ? INHERIT_COLD : INHERIT_WARM;
}

/* With /dev/null for all that belongs to one slot. */
static int
prepare_launch(struct launch *l, const struct master *m,
	const struct generation *g, struct inheritance *in)
{
	size_t n = INHERIT_REST - INHERIT_CHANNEL;

	in->generation = g->number;
	in->warm_up = spawn_warm_up(m, g);
	in->n_listeners = (unsigned)g->n_listeners;
	in->n_logs = (unsigned)g->n_logs;
	in->n_sets = g->n_buckets > 1 ? g->n_buckets : g->set >= 0;
	l->fds = calloc(
		n + g->n_listeners + g->n_logs + in->n_sets, sizeof(*l->fds));
	if (l->fds == NULL)
		return -ENOMEM;
	inherit_format(in, l->argument);
	l->fds[INHERIT_CONFIG - INHERIT_CHANNEL] = g->config_fd;
	l->fds[INHERIT_PAGE - INHERIT_CHANNEL] = m->null_fd;
	l->fds[INHERIT_SET - INHERIT_CHANNEL] =
		g->set >= 0 ? g->set : m->null_fd;
	l->fds[INHERIT_MUTEX - INHERIT_CHANNEL] = m->null_fd;
	l->fds[INHERIT_SIBLINGS - INHERIT_CHANNEL] = m->siblings;
	l->fds[INHERIT_GIVE - INHERIT_CHANNEL] = m->pool_give;
	l->fds[INHERIT_TAKE - INHERIT_CHANNEL] = m->pool_take;
	for (size_t i = 0; i < g->n_listeners; i++)
		l->fds[n++] = g->listeners[i].fd;
	l->first_log = n;
	for (size_t i = 0; i < g->n_logs; i++)
		l->fds[n++] = m->null_fd;
	for (unsigned i = 0; g->n_buckets > 1 && i < g->n_buckets; i++)
		l->fds[n++] = g->bucket_sets[i];
	l->n_fds = n;
	return 0;
}

/* Fork and exec; frees what prepare_launch has made. */
static int
launch(const struct master *m, const struct generation *g, struct launch *l,
	struct spawned *ret, struct err *err)
{
	struct ends e;
	pid_t pid = -1;
	int rc = open_ends(&e, err);

	if (rc == 0) {
		l->output = e.far_output;
		l->fds[0] = e.far_channel;
		pid = fork();
		if (pid == 0)
			become_child(m, g, l);
		if (pid < 0) {
			rc = err_set(err, errno, "fork of a child");
			close_ends(&e);
		}
	}
	free(l->fds);
	if (rc == 0)
		give_ends(&e, pid, ret);
	return rc;
}

static int
launch_child(struct master *m, const struct generation *g,
	const struct child *c, int page, struct spawned *ret, struct err *err)
{
	struct inheritance in = {.slot = c->slot};
	AUTO_CLOSE int mutex = mutex_export(m, g);
	struct launch l = {0};

	if (prepare_launch(&l, m, g, &in) < 0)
		return err_set(err, ENOMEM, "fork of a child");
	l.fds[INHERIT_PAGE - INHERIT_CHANNEL] = page;
	if (mutex >= 0)
		l.fds[INHERIT_MUTEX - INHERIT_CHANNEL] = mutex;
	for (size_t i = 0; i < g->n_logs; i++)
		l.fds[l.first_log + i] = g->logs[i];
	return launch(m, g, &l, ret, err);
}

int
spawn_template(struct master *m, const struct generation *g,
	struct spawned *ret, struct err *err)
{
	struct inheritance in = {.is_template = 1};
	struct launch l = {0};

	if (prepare_launch(&l, m, g, &in) < 0)
		return err_set(err, ENOMEM, "fork of a template process");
	return launch(m, g, &l, ret, err);
}

_Static_assert(
	(int)INHERIT_FORK_LOGS + (int)CONFIG_ACCESS_LOGS <= (int)CHANNEL_FDS,
	"what belongs to a slot fits a message");

/* The template has no rights to open any of this, and shall not. */
static int
order_child(struct master *m, const struct generation *g, const struct child *c,
	int page, struct spawned *ret, struct err *err)
{
	const struct child *t = template_ready(m, g);
	AUTO_CLOSE int mutex = mutex_export(m, g);
	int fds[CHANNEL_FDS], rc;
	char text[INHERIT_ARGUMENT];
	struct ends e;

	if (t == NULL)
		return err_setx(
			err, EAGAIN, "the template process is not there");
	rc = open_ends(&e, err);
	if (rc < 0)
		return rc;
	inherit_format_slot(c->slot, text);
	fds[INHERIT_FORK_CHANNEL] = e.far_channel;
	fds[INHERIT_FORK_OUTPUT] = e.far_output;
	fds[INHERIT_FORK_PAGE] = page;
	fds[INHERIT_FORK_MUTEX] = mutex >= 0 ? mutex : m->null_fd;
	for (size_t i = 0; i < g->n_logs; i++)
		fds[INHERIT_FORK_LOGS + i] = g->logs[i];
	rc = channel_identify(e.channel);
	if (rc == 0)
		rc = channel_send(t->channel.fd, CHANNEL_FORK, 0, text, fds,
			INHERIT_FORK_LOGS + g->n_logs);
	if (rc < 0) {
		close_ends(&e);
		return err_set(err, -rc, "order to the template process");
	}
	give_ends(&e, 0, ret);
	return 0;
}

/* One that a template forks is known when it has spoken: birth.c. */
static void
adopt(struct master *m, struct child *c, const struct generation *g,
	const struct spawned *spawned)
{
	int rc = 0;

	*c = (struct child){
		.channel = {.fd = -1},
		.pid = spawned->pid,
		.slot = c->slot,
		.output = -1,
		.generation = g->number,
		.workers = (unsigned)g->config->threads_per_child,
		.warm = spawn_warm_up(m, g) != INHERIT_COLD,
		.mutex = m->mutex_number,
		.deadline_ns = NEVER,
	};
	if (g->config->startup_timeout > 0)
		c->deadline_ns = m->now_ns + g->config->startup_timeout * MS_NS;
	child_happened(m, c, LIFECYCLE_FORKED);
	if (spawned->pid == 0)
		c->output = spawned->output;
	else
		rc = relay_open(m, spawned->output, c->pid);
	if (rc == 0)
		rc = master_watch(
			m, &c->channel, spawned->channel, child_speaks);
	else
		close(spawned->channel);
	if (rc < 0)
		child_cannot_be_watched(c, rc);
	if (spawned->pid != 0)
		log_info("master",
			"child pid %d (slot %u, generation %u) started",
			(int)c->pid, c->slot, c->generation);
}

/* The run directory may be full, or gone: a child that is not seen is better
 * than none. */
static int
make_page(struct master *m, const struct child *c, struct err *err)
{
	struct err why = {0};
	int page = scoreboard_renew_page(m->scoreboard, c->slot, &why);

	if (page < 0 && !m->told_hidden)
		log_warnx("master",
			"%s; children serve without one, but wsgictl does not "
			"see what they do%s",
			why.text,
			page == -ENOENT ? ": an upgrade or a restart makes "
					  "the run directory anew"
					: "");
	m->told_hidden = page < 0;
	return page < 0 ? scoreboard_hide_page(m->scoreboard, c->slot, err)
			: page;
}

int
spawn_child(struct master *m, const struct generation *g, struct child **ret,
	struct err *err)
{
	struct child *c = find_vacant(m, g);
	struct spawned spawned;
	AUTO_CLOSE int page = -1;
	int rc;

	if (c == NULL)
		return err_setx(err, EAGAIN,
			"no slot is free: %u children have not ended yet, and "
			"WorkerDrainTimeout says how long each may take",
			m->n_slots);
	page = make_page(m, c, err);
	if (page < 0)
		return page;
	if (g->config->preload_application)
		rc = order_child(m, g, c, page, &spawned, err);
	else
		rc = launch_child(m, g, c, page, &spawned, err);
	if (rc < 0)
		return rc;
	adopt(m, c, g, &spawned);
	if (ret != NULL)
		*ret = c;
	return 0;
}

int
spawn_first(struct master *m, const struct generation *g, bool replacement,
	struct err *err)
{
	struct child *c;
	int rc;

	if (g->config->preload_application)
		return template_start(m, g, err);
	rc = spawn_child(m, g, &c, err);
	if (rc == 0)
		c->replacement = replacement;
	return rc;
}
