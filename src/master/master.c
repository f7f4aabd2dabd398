/*
 * master.c - THE LOOP.
 *
 * The master waits for one of: a signal, a child's message, a line of a
 * child's output, the control socket, a deadline.  An event changes the
 * state; then master_turn does what follows from the state.  Nothing here
 * waits for a child or an administrator, so no order of the one and no death
 * of the other waits for anything else.  What does wait is short: a stop gives
 * those who are about to send some milliseconds (stop.c), systemd has a second or
 * two to hear what must not be lost (notify_flush, notify_barrier), and before a
 * configuration is used another process looks as the user whether its Python can
 * be reached (entrance.c).
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/title.h"
#include "config/config.h"
#include "master/activation.h"
#include "master/board.h"
#include "master/buckets.h"
#include "master/changes.h"
#include "master/child.h"
#include "master/control.h"
#include "master/coredump.h"
#include "master/fdstore.h"
#include "master/generation.h"
#include "master/guard.h"
#include "master/heir.h"
#include "master/heritage.h"
#include "master/idle.h"
#include "master/leftovers.h"
#include "master/logs.h"
#include "master/master_priv.h"
#include "master/mutex.h"
#include "master/notify.h"
#include "master/oom.h"
#include "master/pool.h"
#include "master/predecessor.h"
#include "master/python.h"
#include "master/reap.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/rundir.h"
#include "master/say.h"
#include "master/scale.h"
#include "master/schedule.h"
#include "master/service.h"
#include "master/spawn.h"
#include "master/state.h"
#include "master/stop.h"
#include "master/template.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"
#include "net/address.h"
#include "net/handoff.h"
#include "net/inherit.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

/* --- sources ------------------------------------------------------------------ */

static int
watch(struct master *m, struct source *s, int fd, uint32_t events,
	void (*ready)(struct master *m, struct source *s))
{
	struct epoll_event event = {.events = events, .data.ptr = s};

	s->fd = -1;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	s->fd = fd;
	s->ready = ready;
	return 0;
}

int
master_watch(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s))
{
	return watch(m, s, fd, EPOLLIN, ready);
}

int
master_watch_room(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s))
{
	return watch(m, s, fd, EPOLLOUT, ready);
}

/* Without EPOLLONESHOT the end of a pipe would be told all the time. */
void
master_hold(struct master *m, struct source *s)
{
	struct epoll_event event = {.events = EPOLLONESHOT, .data.ptr = s};

	(void)epoll_ctl(m->epoll, EPOLL_CTL_MOD, s->fd, &event);
}

void
master_heed(struct master *m, struct source *s)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

	(void)epoll_ctl(m->epoll, EPOLL_CTL_MOD, s->fd, &event);
}

void
master_forget(struct master *m, struct source *s)
{
	/* A duplicate in another process would keep it registered. */
	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	fd_close(&s->fd);
}

/* --- the decision that the start was ------------------------------------------ */

static void
announce(struct master *m, int status, const char *text)
{
	if (m->announced)
		return;
	m->announced = true;
	m->order->started(m->order->arg, status, text);
}

static bool
is_on_standard_error(const struct master *m)
{
	return m->logging && m->now->error_log < 0 &&
	       !logs_is_journald(m->now->config);
}

/* Before there is a log the program says the reason itself. */
static void
announce_failure(struct master *m, int status, const char *sentence)
{
	m->exit_status = status;
	if (m->logging)
		log_errorx("master", "%s", sentence);
	heir_say_failed(m, sentence);
	service_failed(m, sentence);
	announce(m, status, is_on_standard_error(m) ? "" : sentence);
}

void
master_announce(struct master *m)
{
	title_set("wsgid: master [%s]", m->name);
	say_start(m);
	board_touch(m);
	service_ready(m);
	announce(m, 0, "");
}

void
master_proven(struct master *m)
{
	m->phase = PHASE_RUNNING;
	m->turn_ns = m->now_ns + SECOND_NS;
	if (!heir_waits(m))
		pool_owe(m, (int)m->now->config->start_servers - 1);
	if (m->heritage != NULL)
		heir_child_ready(m);
	else
		master_announce(m);
}

void
master_fail(struct master *m, int status, const char *sentence)
{
	announce_failure(m, status, sentence);
	stop_begin(m, false, NULL);
}

/* --- signals ------------------------------------------------------------------ */

static const int signals_heard[] = {
	SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH,
	SIGTTIN, SIGTTOU};

/* From the master before us it means what it means there, in any style.  The one
 * behind us tells us to do at once what we have told it. */
static void
obey_sigterm(struct master *m, pid_t sender, bool apache)
{
	if (m->stop_now && upgrade_is_to(m, sender))
		return;
	stop_begin(m, !apache || predecessor_is(m, sender), "SIGTERM");
}

static void
obey(struct master *m, const struct signalfd_siginfo *info)
{
	bool apache = m->now->config->signal_style == CONFIG_SIGNALS_APACHE;

	switch (info->ssi_signo) {
	case SIGCHLD:
		reap_children(m);
		break;
	case SIGTERM:
		obey_sigterm(m, (pid_t)info->ssi_pid, apache);
		break;
	case SIGINT:
		stop_begin(m, false, "SIGINT");
		break;
	case SIGQUIT:
		stop_begin(m, false, "SIGQUIT");
		break;
	case SIGWINCH:
		/* The kernel sends it when a terminal changes its size. */
		if (m->phase != PHASE_STOPPING && info->ssi_code != SI_KERNEL)
			stop_begin(m, true, "SIGWINCH");
		break;
	case SIGHUP:
		restart_begin(m, apache, "SIGHUP");
		break;
	case SIGUSR1:
		restart_begin(m, false, "SIGUSR1");
		break;
	case SIGTTIN:
	case SIGTTOU:
		/* Who comes from gunicorn scales by them, and else they would
		 * stop us. */
		log_notice("master",
			"%s is ignored: \"wsgictl scale N\" sets the number of "
			"processes",
			info->ssi_signo == SIGTTIN ? "SIGTTIN" : "SIGTTOU");
		break;
	default:
		upgrade_begin(m, "SIGUSR2");
		break;
	}
}

static void
signals_ready(struct master *m, struct source *s)
{
	struct signalfd_siginfo info;

	/* The kernel tells of SIGTERM before SIGCHLD, whichever came first; and who
	 * died before the order was not cut off by it. */
	reap_children(m);
	while (m->phase != PHASE_OVER &&
		read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		obey(m, &info);
}

void
master_obey_signals(struct master *m)
{
	signals_ready(m, &m->signals);
}

static int
hear_signals(struct master *m)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals_heard); i++)
		sigaddset(&set, signals_heard[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	sigaction(signal_traceback(), &ignore, NULL); /* spawn_reset_signals */
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return master_watch(m, &m->signals, fd, signals_ready);
}

/* --- the loop ----------------------------------------------------------------- */

static void
master_turn(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT &&
			m->children[i].deadline_ns <= m->now_ns)
			child_due(m, &m->children[i]);
	template_turn(m);
	reap_nudge(m);
	control_turn(m);
	changes_turn(m);
	restart_turn(m);
	upgrade_turn(m);
	predecessor_turn(m);
	scale_turn(m);
	if (m->phase == PHASE_RUNNING)
		pool_turn(m);
	mutex_turn(m);
	buckets_turn(m);
	guard_turn(m);
	stop_turn(m);
	board_touch(m);
	idle_turn(m);
	service_turn(m);
	relay_turn(m);
	logs_turn(m);
}

/* Milliseconds to the next deadline, rounded up: to wake too early means to
 * turn in vain. */
static int
wait_for(const struct master *m)
{
	int64_t next = schedule_next(m), ms;

	if (next == NEVER)
		return -1;
	ms = (next - clock_monotonic_ns() + MS_NS - 1) / MS_NS;
	if (ms < 0)
		return 0;
	return ms > 60000 ? 60000 : (int)ms;
}

static void
loop(struct master *m)
{
	for (;;) {
		struct epoll_event event;
		int n;

		m->now_ns = clock_monotonic_ns();
		master_turn(m);
		if (m->phase == PHASE_OVER)
			return;
		n = epoll_wait(m->epoll, &event, 1, wait_for(m));
		m->now_ns = clock_monotonic_ns();
		if (n == 1) {
			struct source *s = event.data.ptr;

			s->ready(m, s);
		}
	}
}

/* --- birth and death ----------------------------------------------------------- */

/* Memory that the children share with one another: child/balance.h. */
static int
make_shared_memory(struct master *m, struct err *err)
{
	m->siblings = memfd_create(
		"wsgid-siblings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->siblings < 0)
		return err_set(err, errno,
			"memory that the children share: memfd_create");
	if (ftruncate(m->siblings, (m->n_slots + 1) * INHERIT_SIBLING) < 0)
		return err_set(err, errno, "memory that the children share");
	(void)fcntl(m->siblings, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	return 0;
}

/* Children that drain keep their slots, so there are more than ServerLimit
 * of them: with few children, too, one reload may follow the other. */
static int
make_slots(struct master *m, const struct config *c, struct err *err)
{
	enum { LEAST_EXTRA = 16, MOST_EXTRA = 256 };
	long extra =
		c->server_limit < MOST_EXTRA ? c->server_limit : MOST_EXTRA;
	int rc;

	if (extra < LEAST_EXTRA)
		extra = LEAST_EXTRA;
	/* And those that were there before an upgrade in place. */
	if (m->heritage != NULL)
		extra += (long)m->heritage->n_nursery;
	m->server_limit = c->server_limit;
	m->n_slots = (unsigned)(c->server_limit + extra);
	rc = make_shared_memory(m, err);
	if (rc < 0)
		return rc;
	m->children = calloc(m->n_slots, sizeof(*m->children));
	if (m->children == NULL)
		return err_set(err, ENOMEM, "ServerLimit %ld", c->server_limit);
	for (unsigned i = 0; i < m->n_slots; i++)
		m->children[i] = (struct child){
			.slot = i,
			.channel = {.fd = -1},
			.output = -1,
			.deadline_ns = NEVER,
		};
	return 0;
}

/* Each child costs three descriptors, draining ones too, and the usual 1024
 * would not do for the usual ServerLimit. */
static void
raise_file_limit(struct master *m)
{
	struct rlimit more;

	if (getrlimit(RLIMIT_NOFILE, &m->files) < 0)
		return;
	/* What the one before us has raised is not what was found. */
	if (m->heritage != NULL)
		m->files = m->heritage->files;
	more = m->files;
	more.rlim_cur = more.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &more);
}

/* What needs no configuration. */
static int
open_loop(struct master *m, struct err *err)
{
	int rc;

	raise_file_limit(m);
	m->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->null_fd < 0)
		return err_set(err, errno, "/dev/null");
	if (m->epoll < 0)
		return err_set(err, errno, "descriptors of the master");
	/* What the children of a dead child become: ours to bury, and not to
	 * find a process 1 that buries nobody. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	oom_open(m);
	rc = hear_signals(m);
	if (rc < 0)
		return err_set(err, -rc, "signals");
	rc = heir_take_pool(m);
	if (rc == 0)
		rc = handoff_pair(&m->pool_give, &m->pool_take);
	if (rc < 0)
		return err_set(err, -rc, "pool socket");
	rc = m->heritage != NULL ? heir_take_listeners(m, err)
				 : activation_take(m, err);
	return rc;
}

/* Port 0 is no name: what the kernel has chosen is one. */
static void
choose_name(struct master *m, const struct config *c)
{
	int port = 0;

	if (m->now != NULL && m->now->n_listeners > 0)
		port = address_port(&m->now->listeners[0].address);
	if (port > 0)
		snprintf(m->name, sizeof(m->name), "%d", port);
	else
		snprintf(m->name, sizeof(m->name), "%s",
			c->name != NULL ? c->name : "wsgid");
}

/* Whom a server of the same name disturbs is found out before anything is
 * bound, so that the sentence is about the other server and not a port. */
static int
open_sockets(struct master *m, struct config *c, struct err *err)
{
	int rc = activation_name(m, c, err);
	bool unnamed = c->name != NULL && strcmp(c->name, "0") == 0;

	if (rc == 0 && unnamed)
		rc = generation_create(&m->now, m, c, m->before, err);
	if (rc < 0)
		return rc;
	choose_name(m, c);
	if (unnamed)
		rc = generation_write_config(m->now, err);
	if (rc < 0)
		return rc;
	rc = rundir_open(m, c, err);
	if (rc < 0 || unnamed)
		return rc;
	return leftovers_outwait(m, c, err);
}

bool
master_shares_sockets(const struct master *m)
{
	return m->now->passed || fdstore_keeps(m);
}

void
master_tell_shared(struct master *m, bool shared)
{
	struct inherit_news news = {.shared = shared};

	m->shared = shared;
	(void)!pwrite(m->siblings, &news, sizeof(news),
		(off_t)m->n_slots * INHERIT_SIBLING);
}

/* What systemd has kept of a server before us is ours. */
static void
succeed_kept(struct master *m)
{
	generation_succeed(m->now, m->before);
	generation_destroy(m->before);
	m->before = NULL;
}

static int
open_server(struct master *m, struct config *c, struct err *err)
{
	int rc = make_slots(m, c, err);
	bool kept;

	if (rc < 0)
		return rc;
	buckets_choose(m, c);
	if (m->heritage == NULL)
		rc = fdstore_restore(m, c, err);
	if (rc < 0)
		return rc;
	kept = m->heritage == NULL && m->before != NULL;
	master_tell_shared(m, m->n_passed > 0 || heir_waits(m) || kept);
	rc = open_sockets(m, c, err);
	if (rc < 0)
		return rc;
	if (kept)
		succeed_kept(m);
	logs_use(m->now);
	heir_take_lines(m);
	m->logging = true;
	logs_say_messages(c);
	logs_say_lines(m->order->notices);
	generation_check_buffers(m->now);
	buckets_say(m);
	coredump_warn(m->now->config);
	idle_warn(m);
	rc = python_choose(m, m->now, err);
	if (rc < 0)
		return rc;
	rc = mutex_open(m, c, err);
	if (rc < 0)
		return rc;
	rc = board_create(m, err);
	if (rc < 0)
		return rc;
	if (!heir_waits(m) && control_open(m, err) < 0)
		log_warnx("master", "%s; going on without", err->text);
	return 0;
}

static void
close_server(struct master *m)
{
	enum { LAST_WORDS_MS = 2000 }; /* to a systemd that is busy */

	control_close(m);
	mutex_close(m);
	template_close_all(m);
	relay_close_all(m);
	generation_destroy(m->next);
	generation_destroy(m->now);
	generation_destroy(m->before);
	activation_close(m);
	free(m->passed);
	fdstore_close(m);
	scoreboard_destroy(m->scoreboard, 1);
	rundir_close(m);
	master_renounce(m->heritage, NULL);
	if (m->upgrade.report.fd >= 0)
		master_forget(m, &m->upgrade.report);
	if (m->upgrade.end.fd >= 0)
		master_forget(m, &m->upgrade.end);
	if (m->predecessor.end.fd >= 0)
		master_forget(m, &m->predecessor.end);
	if (m->signals.fd >= 0)
		master_forget(m, &m->signals);
	if (m->guard.hangups.fd >= 0)
		master_forget(m, &m->guard.hangups);
	if (m->log_room.fd >= 0)
		master_forget(m, &m->log_room);
	fd_close(&m->epoll);
	fd_close(&m->null_fd);
	fd_close(&m->siblings);
	fd_close(&m->pool_give);
	fd_close(&m->pool_take);
	notify_flush(&m->notify, LAST_WORDS_MS);
	notify_fini(&m->notify);
	buf_fini(&m->said);
	free(m->children);
}

static void
say_cut(const struct master *m)
{
	if (m->cut == 0)
		log_warnx("master", "stopped; requests of the old master that "
				    "were to be finished were cut off");
	else if (m->cut == 1)
		log_warnx("master", "stopped; 1 request that was to be "
				    "finished was cut off");
	else
		log_warnx("master",
			"stopped; %u requests that were to be "
			"finished were cut off",
			m->cut);
}

static void
serve(struct master *m)
{
	struct err err = {0};

	title_set("wsgid: %smaster [%s]", heir_waits(m) ? "new " : "", m->name);
	if (m->heritage != NULL)
		heir_take_children(m);
	service_begin(m);
	if (m->phase == PHASE_STARTING &&
		spawn_first(m, m->now, false, &err) < 0)
		master_fail(m, EXIT_FAILURE, err.text);
	loop(m);
	if (m->cut_short) {
		say_cut(m);
		m->exit_status = CHILD_EXIT_CUT;
		return;
	}
	log_notice("master", "%s",
		m->succeeded ? "all children have finished, the old master "
			       "ends"
			     : "stopped");
}

/* A name that stands for nothing usable is a mistake in the configuration; a
 * port that is taken, or memory that is short, may be free the next time. */
static int
status_of(int code)
{
	switch (code) {
	case ENOENT:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case EACCES:
	case ELOOP:
	case EINVAL:
	case ENAMETOOLONG:
		return CHILD_EXIT_CONFIG;
	default:
		return EXIT_FAILURE;
	}
}

int
master_run(const struct master_order *order, struct config *c)
{
	struct master m = {
		.order = order,
		.heritage = order->heritage,
		.upgrade = {.report.fd = -1,
			.end.fd = -1,
			.deadline_ns = NEVER},
		.predecessor = {.end = {.fd = -1}},
		.epoll = -1,
		.null_fd = -1,
		.siblings = -1,
		.pool_give = -1,
		.pool_take = -1,
		.signals = {.fd = -1},
		.log_room = {.fd = -1},
		.control = {.listener = {.fd = -1}, .rest_ns = NEVER},
		.guard = {.hangups = {.fd = -1}},
		.run = {.own.fd = -1, .named.fd = -1},
		.store = {.board = -1, .canary = {.fd = -1}},
		.memory = {.spawn_rate = 1},
		.now_ns = clock_monotonic_ns(),
		.stop_by_ns = NEVER,
	};
	struct err err = {0};

	log_keep_lines();
	log_open_standard();
	if (open_loop(&m, &err) < 0 || open_server(&m, c, &err) < 0) {
		announce_failure(&m, status_of(err.code), err.text);
		if (m.now == NULL)
			config_destroy(c);
	} else {
		serve(&m);
	}
	logs_finish(&m);
	/* From here on the log is standard error again. */
	log_open_standard();
	close_server(&m);
	return m.exit_status;
}
