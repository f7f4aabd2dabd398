/*
 * upgrade.c - another master takes our place, by the program that is
 * installed now.
 *
 * The new one is started beside us and inherits what must not be given up for
 * a moment: listeners, pool, pid files.  It starts its children one by one,
 * and for each that serves one of ours goes.  When it has as many as we had
 * it takes the names over (pid file, control socket, scoreboard) and says so;
 * until then nothing of what it does can be seen, and whatever becomes of it,
 * we go on.  From then on we only wait for our children to finish.
 *
 * Process 1 of a container cannot leave its place, nor can what a supervisor
 * waits for (supervisor.c): there a trial shows that the new program would
 * start, and then this process becomes that program itself.
 */
#include "master/upgrade.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidfile.h"
#include "base/title.h"
#include "config/config.h"
#include "control/control.h"
#include "master/bequest.h"
#include "master/board.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/master_priv.h"
#include "master/pool.h"
#include "master/said.h"
#include "master/say.h"
#include "master/service.h"
#include "master/spawn.h"
#include "master/state.h"
#include "master/stop.h"
#include "master/supervisor.h"
#include "net/listen.h"
#include "scoreboard/scoreboard.h"

enum {
	HELLO_S = 20,    /* from the exec to the first word, at most */
	PATIENCE_S = 10, /* more than StartupTimeout, from word to word */
	END_S = 5,       /* from the last word, or none, to SIGKILL */
};

bool
upgrade_running(const struct master *m)
{
	return m->upgrade.pid != 0;
}

bool
upgrade_is_to(const struct master *m, pid_t pid)
{
	return pid > 0 && pid == m->upgrade.pid;
}

/* Its pid may be another's by now where its end is told to somebody else. */
static void
signal_new(const struct upgrade *u, int signum)
{
	if (u->end.fd >= 0)
		(void)pidfd_send_signal(u->end.fd, signum, NULL, 0);
	else
		kill(u->pid, signum);
}

/* --- the end of it ----------------------------------------------------------- */

static void
failed(struct master *m, const char *reason)
{
	int retired = m->upgrade.retired;
	struct err err = {0};

	err_setx(&err, ECANCELED, "upgrade: %s", reason);
	board_show_reload(m, WSGID_RELOAD_FAILED, err.text);
	log_errorx("master", "upgrade failed, this master goes on: %s", reason);
	m->upgrade.retired = 0;
	master_tell_shared(m, master_shares_sockets(m));
	if (m->phase == PHASE_RUNNING)
		pool_owe(m, retired);
	control_upgraded(m, reason);
}

/* Held by us too, the lock would outlive our successor. */
static void
give_name_up(struct pid_file *f)
{
	if (f->fd >= 0 && pidfile_read(f->fd) != getpid())
		fd_close(&f->fd);
}

/* A reload that was asked for meanwhile is about what is there now, and the
 * successor may have begun before.  Who waits for it asks there himself. */
static void
pass_reload_on(const struct master *m)
{
	if (m->reload_wanted && !control_awaits_reload(m))
		kill(m->upgrade.pid, m->reload_ungraceful ? SIGHUP : SIGUSR1);
}

/* Our successor is the server, and the names are its. */
static void
become_old(struct master *m)
{
	struct census census;
	int left;

	title_set("wsgid: old master [%s]", m->name);
	census_take(m, &census);
	left = census.starting + census.ready + census.draining;
	log_notice("master",
		"the new master, pid %d, has taken over; %d %s finishing",
		(int)m->upgrade.pid, left,
		left == 1 ? "child is" : "children are");
	service_give_up(m, m->upgrade.pid);
	give_name_up(&m->run.own);
	give_name_up(&m->run.named);
	for (size_t i = 0; i < m->now->n_listeners; i++)
		m->now->listeners[i].unlink_path = false;
	m->succeeded = true;
	control_upgraded(m, NULL);
}

static void
succeeded(struct master *m, bool pool_lives)
{
	become_old(m);
	m->pool_lives = pool_lives;
	pass_reload_on(m);
	stop_after_upgrade(m);
}

/* --- what the new one says --------------------------------------------------- */

static void
await_next_word(struct master *m)
{
	int64_t timeout = m->now->config->startup_timeout;

	m->upgrade.deadline_ns = NEVER;
	if (timeout > 0)
		m->upgrade.deadline_ns =
			m->now_ns + timeout * MS_NS + PATIENCE_S * SECOND_NS;
}

/* A child of its own serves.  Idle ones first. */
static void
retire_one(struct master *m)
{
	struct child *c = census_idle_child(m);
	char pid[16], left[16];
	struct census census;

	for (unsigned i = 0; c == NULL && i < m->n_slots; i++)
		if (m->children[i].life == LIFECYCLE_READY)
			c = &m->children[i];
	if (c == NULL || m->upgrade.trial)
		return;
	child_retire(m, c, m->now->config->worker_drain_timeout);
	m->upgrade.retired++;
	census_take(m, &census);
	snprintf(pid, sizeof(pid), "%d", (int)c->pid);
	snprintf(left, sizeof(left), "%d", census.ready);
	CONTROL_TELL(m, "retired", pid, left);
}

static bool
is_word(const struct control_line *line, const char *word)
{
	return str_equal(line->words[0], str_of(word));
}

static void
keep_reason(struct master *m, const struct control_line *line)
{
	if (line->n < 2)
		return;
	snprintf(m->upgrade.reason, sizeof(m->upgrade.reason), "%.*s",
		(int)line->words[1].len, line->words[1].p);
	m->upgrade.deadline_ns = m->now_ns + END_S * SECOND_NS;
}

/* It is about to end, and its requests have the time that ours have at a stop. */
static void
let_finish(struct master *m)
{
	int64_t patience = m->now->config->graceful_shutdown_timeout;

	m->upgrade.deadline_ns = NEVER;
	if (patience > 0)
		m->upgrade.deadline_ns =
			m->now_ns + patience * MS_NS + END_S * SECOND_NS;
}

static void
is_ready(struct master *m, const struct control_line *line)
{
	m->upgrade.ready = true;
	if (m->upgrade.trial) {
		if (m->phase == PHASE_RUNNING)
			log_notice("master",
				"the new program serves the application; this "
				"process becomes it");
		if (!m->stop_now)
			let_finish(m);
		return;
	}
	m->upgrade.deadline_ns = NEVER;
	/* It is told to stop, as we are, and waits for our end: so we must not wait
	 * for its. */
	if (m->phase == PHASE_STOPPING)
		become_old(m);
	else
		succeeded(m,
			line->n > 1 && str_equal(line->words[1], STR("pool")));
}

static void
hear(struct master *m, const struct control_line *line)
{
	if (m->upgrade.ready)
		return;
	if ((is_word(line, "hello") || is_word(line, "child")) &&
		m->phase == PHASE_RUNNING)
		await_next_word(m);
	if (is_word(line, "child") && m->phase == PHASE_RUNNING)
		retire_one(m);
	else if (is_word(line, "ready"))
		is_ready(m, line);
	else if (is_word(line, "finishing") && !m->stop_now)
		let_finish(m);
	else if (is_word(line, "failed"))
		keep_reason(m, line);
	else if (is_word(line, "log") && line->n > 1)
		said_lines(m, line->words[1]);
}

/* Until it has nothing more to say. */
static void
listen_to(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	char text[CONTROL_LINE];
	struct control_line line;

	while (u->report.fd >= 0) {
		ssize_t n =
			recv(u->report.fd, text, sizeof(text), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			master_forget(m, &u->report);
			if (!u->ready)
				u->deadline_ns = m->now_ns + END_S * SECOND_NS;
			return;
		}
		if (control_decode(&line, (struct str){text, (size_t)n}) == 0)
			hear(m, &line);
	}
}

static void
report_ready(struct master *m, struct source *s)
{
	(void)s;
	/* An order that came before the new one took over is for the server, and
	 * so for both; behind that it would be for what we have left to do. */
	master_obey_signals(m);
	listen_to(m);
}

/* --- becoming it ------------------------------------------------------------- */

static void __attribute__((noreturn))
become_in_child(const struct master *m, const struct heritage *h, int memory)
{
	struct buf line = {0};
	struct err err = {0};
	struct str words[2] = {STR("failed")};
	int rc;

	spawn_reset_signals();
	rc = bequest_execute(m, h, memory);
	err_set(&err, -rc, "%s cannot be executed", m->order->program);
	words[1] = str_of(err.text);
	if (control_encode(&line, words, 2) == 0)
		(void)send(h->report, line.data, line.len - 1, MSG_NOSIGNAL);
	_exit(EXIT_FAILURE);
}

/* --- going on ---------------------------------------------------------------- */

/* The trial has shown that it can be done. */
static void
go_on_as_new(struct master *m)
{
	struct rlimit more = m->files;
	struct heritage h;
	struct err err = {0};
	int rc = bequest_gather(m, HERITAGE_IN_PLACE, &h), memory = -1;

	if (rc == 0)
		rc = memory = bequest_write(&h);
	if (rc >= 0)
		rc = bequest_execute(m, &h, memory);
	more.rlim_cur = more.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &more);
	bequest_revoke(&h);
	fd_close(&memory);
	err_set(&err, -rc, "%s cannot be executed", m->order->program);
	failed(m, err.text);
}

/* Another upgrade, or a stop, may have been quicker than our children. */
static void
say_successor_ended(pid_t pid, const int *status, const char *death)
{
	if (status == NULL || *status == 0)
		log_notice("master", "the new master, pid %d, has ended",
			(int)pid);
	else
		log_errorx("master", "the new master, pid %d, has ended, %s",
			(int)pid, death);
}

/* status is NULL where only its parent knows. */
static void
ended(struct master *m, const int *status)
{
	struct upgrade *u = &m->upgrade;
	pid_t pid = u->pid;
	char death[128] = "";

	/* Its reason may still be unread. */
	listen_to(m);
	u->pid = 0;
	u->deadline_ns = NEVER;
	if (u->report.fd >= 0)
		master_forget(m, &u->report);
	if (status != NULL)
		say_death(*status, death, sizeof(death));
	/* Had it been killed, it would not have removed its files itself. */
	if (m->succeeded)
		say_successor_ended(pid, status, death);
	else
		scoreboard_sweep_successor(m->scoreboard);
	if (m->phase == PHASE_STOPPING) {
		control_upgraded(m, CONTROL_STOPPING);
		return;
	}
	if (u->ready) {
		go_on_as_new(m);
		return;
	}
	if (u->reason[0] == '\0')
		snprintf(u->reason, sizeof(u->reason),
			"the new master ended before it was ready%s%s",
			status != NULL ? ", " : "", death);
	failed(m, u->reason);
}

void
upgrade_reaped(struct master *m, int status)
{
	ended(m, &status);
}

/* --- beginning --------------------------------------------------------------- */

struct beginning {
	const struct master *m;
	const struct heritage *h;
	int memory;
};

static int
begin(void *arg)
{
	const struct beginning *b = arg;

	become_in_child(b->m, b->h, b->memory);
}

/* systemd waits at a stop, and hears of the end, of a main process that is its
 * own child: so that is what a successor has to be, beside us and not below.
 * The pid, or a negative errno. */
static pid_t
clone_beside(struct beginning *b, int *end)
{
	enum { STACK = 256 * 1024 };
	AUTO_FREE char *stack = malloc(STACK);
	pid_t pid;

	if (stack == NULL)
		return -ENOMEM;
	/* Its memory is its own, and so is the stack then. */
	pid = clone(begin, stack + STACK, CLONE_PARENT | CLONE_PIDFD, b, end);
	return pid < 0 ? -errno : pid;
}

static pid_t
fork_below(struct beginning *b)
{
	pid_t pid = fork();

	if (pid == 0)
		begin(b);
	return pid < 0 ? -errno : pid;
}

static void
new_has_ended(struct master *m, struct source *s)
{
	master_forget(m, s);
	ended(m, NULL);
}

/* Nobody else would tell us of its end: without this it must not live. */
static int
await_end(struct master *m, int end)
{
	/* Closed where it cannot be watched; end stays, to kill it by. */
	int watched = fcntl(end, F_DUPFD_CLOEXEC, 0);
	int rc = watched < 0 ? -errno
			     : master_watch(m, &m->upgrade.end, watched,
				       new_has_ended);

	if (rc < 0)
		(void)pidfd_send_signal(end, SIGKILL, NULL, 0);
	return rc;
}

/* 0, and pid and end are set, or a negative errno. */
static int
begin_with(struct master *m, const struct heritage *h)
{
	AUTO_CLOSE int memory = bequest_write(h);
	AUTO_CLOSE int end = -1;
	struct beginning b = {m, h, memory};
	int rc = 0;
	pid_t pid;

	if (memory < 0)
		return memory;
	pid = m->service.heard && h->way == HERITAGE_BESIDE
		      ? clone_beside(&b, &end)
		      : fork_below(&b);
	if (pid < 0)
		return pid;
	if (end >= 0)
		rc = await_end(m, end);
	if (rc == 0)
		m->upgrade.pid = pid;
	return rc;
}

static int
start(struct master *m, enum heritage_way way, struct err *err)
{
	struct heritage h;
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, errno, "socket to the new master");
	rc = bequest_gather(m, way, &h);
	h.report = ends[1];
	if (rc == 0)
		rc = begin_with(m, &h);
	heritage_disown(&h);
	heritage_fini(&h);
	close(ends[1]);
	if (rc < 0) {
		close(ends[0]);
		return err_set(err, -rc, "fork of the new master");
	}
	rc = master_watch(m, &m->upgrade.report, ends[0], report_ready);
	if (rc < 0) {
		signal_new(&m->upgrade, SIGKILL);
		snprintf(m->upgrade.reason, sizeof(m->upgrade.reason),
			"the new master cannot be listened to: %s",
			strerror(-rc));
	}
	return 0;
}

/* Why now is no time for it; NULL: it is. */
static const char *
objection(const struct master *m)
{
	if (m->phase == PHASE_STOPPING)
		return CONTROL_STOPPING;
	if (m->heritage != NULL && m->heritage->way != HERITAGE_IN_PLACE)
		return "this master is just taking over itself";
	if (m->order->program == NULL)
		return "where this program is cannot be found out";
	return NULL;
}

/* A program that does not even begin need not be given more than one that
 * starts. */
static int64_t
hello_ns(const struct master *m)
{
	int64_t timeout = m->now->config->startup_timeout * MS_NS;

	return timeout > 0 && timeout < HELLO_S * SECOND_NS
		       ? timeout
		       : HELLO_S * SECOND_NS;
}

void
upgrade_begin(struct master *m, const char *why)
{
	char parent[SUPERVISOR_NAME];
	bool trial = !m->order->daemon && supervisor_wants_pid(parent);
	const char *no = objection(m);
	struct err err = {0};

	if (no != NULL) {
		log_errorx("master", "%s: no upgrade: %s", why, no);
		control_upgraded(m, no);
		return;
	}
	if (upgrade_running(m)) {
		log_notice("master", "%s: the upgrade is under way", why);
		return;
	}
	if (m->phase == PHASE_STARTING || m->reloading || m->next != NULL) {
		log_notice("master",
			"%s: the upgrade follows what is under way", why);
		m->upgrade.wanted = true;
		return;
	}
	log_notice("master", "%s: upgrading to %s%s%s%s", why,
		m->order->program, trial ? ", which is tried first" : "",
		trial && parent[0] != '\0' ? ", because this process has to "
					     "stay: it is watched by "
					   : "",
		trial ? parent : "");
	m->upgrade = (struct upgrade){
		.report.fd = -1,
		.end.fd = -1,
		.trial = trial,
		.deadline_ns = m->now_ns + hello_ns(m),
	};
	said_begin(m);
	board_show_reload(m, WSGID_RELOAD_RUNNING, "");
	master_tell_shared(m, true);
	if (start(m, trial ? HERITAGE_TRIAL : HERITAGE_BESIDE, &err) < 0)
		failed(m, err.text);
}

/* --- and from turn to turn ---------------------------------------------------- */

/* The stop is of the server, which the new one may be by now: what it has said is
 * heard first, and who waits for the upgrade hears how it ended when it has. */
void
upgrade_abandon(struct master *m, bool graceful)
{
	struct upgrade *u = &m->upgrade;
	bool runs = upgrade_running(m) && (u->abandoned || !m->succeeded);

	u->wanted = false;
	if (runs) {
		u->abandoned = true;
		listen_to(m);
	}
	if (!runs || u->trial)
		control_upgraded(m, CONTROL_STOPPING);
	if (runs && !m->succeeded)
		master_tell_shared(m, master_shares_sockets(m));
	/* A trial that is ready finishes already. */
	if (!runs || (graceful && u->trial && u->ready))
		return;
	signal_new(u, graceful ? SIGTERM : SIGINT);
	if (!m->succeeded)
		u->deadline_ns = m->now_ns + END_S * SECOND_NS;
}

static void
too_late(struct master *m)
{
	struct upgrade *u = &m->upgrade;

	u->deadline_ns = NEVER;
	if (u->reason[0] == '\0')
		snprintf(u->reason, sizeof(u->reason),
			"the new master did not become ready in time");
	signal_new(u, SIGKILL);
}

void
upgrade_turn(struct master *m)
{
	if (upgrade_running(m) && m->upgrade.deadline_ns <= m->now_ns)
		too_late(m);
	if (!m->upgrade.wanted || m->phase != PHASE_RUNNING || m->reloading ||
		m->next != NULL)
		return;
	m->upgrade.wanted = false;
	upgrade_begin(m, "asked meanwhile");
}

int64_t
upgrade_deadline(const struct master *m)
{
	return upgrade_running(m) ? m->upgrade.deadline_ns : NEVER;
}
