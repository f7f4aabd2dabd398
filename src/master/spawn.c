/*
 * spawn.c - starting a child.
 *
 * The child is a program of its own: forked, then exec'ed, with descriptors
 * at fixed numbers and one argument.  Between fork and exec only what is
 * safe in a signal handler is called, so all that needs memory is made
 * before.  What must not cross: our signal mask and dispositions, or the
 * application's own subprocesses would inherit them; and those variables of
 * the environment that were meant for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "built_with.h"
#include "master/state.h"
#include "net/inherit.h"

/* Room for the child's title in what ps(1) reads. */
static char title_base[] = "wsgid: child, starting                      ";

/* Everything that is needed after the fork. */
struct launch {
	int *fds; /* from descriptor 3 on */
	size_t n_fds;
	int output;
	char argument[INHERIT_ARGUMENT];
};

static int
keep_program(struct master *m, const char *path, struct err *err)
{
	m->child_program = strdup(path);
	return m->child_program != NULL ? 0 : err_set(err, ENOMEM, "%s", path);
}

/* Beside wsgid as it was built, or in the libexec folder of the prefix that
 * it was moved to. */
int
spawn_find_program(struct master *m, struct err *err)
{
	static const char *const places[] = {"", "../libexec/wsgid/"};
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(places); i++) {
		snprintf(path, sizeof(path), "%.*s%s%s",
			(int)(strrchr(self, '/') + 1 - self), self, places[i],
			CHILD_PROGRAM);
		if (access(path, X_OK) == 0)
			return keep_program(m, path, err);
	}
	snprintf(path, sizeof(path), "%s/%s", LIBEXECDIR, CHILD_PROGRAM);
	if (access(path, X_OK) < 0)
		return err_set(err, errno,
			"the program of the children, %s, is neither beside "
			"wsgid nor usable at %s",
			CHILD_PROGRAM, path);
	return keep_program(m, path, err);
}

static bool
is_ours(const char *variable)
{
	static const char *const prefixes[] = {
		"LISTEN_", /* socket activation */
		"NOTIFY_SOCKET=", "WATCHDOG_",
		"WSGID_", /* configuration: a child reads its memfd */
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

int
spawn_prepare_environment(struct master *m)
{
	size_t n = 0, kept = 0;

	while (environ[n] != NULL)
		n++;
	m->child_environment = calloc(n + 1, sizeof(char *));
	if (m->child_environment == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!is_ours(environ[i]))
			m->child_environment[kept++] = environ[i];
	return 0;
}

static struct child *
find_vacant(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life == LIFECYCLE_VACANT)
			return &m->children[i];
	return NULL;
}

/* --- in the child ----------------------------------------------------------- */

static void
reset_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
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

static void __attribute__((noreturn))
become_child(const struct master *m, const struct launch *l)
{
	char *argv[] = {title_base, (char *)l->argument, NULL};
	int rc;

	reset_signals();
	(void)setrlimit(RLIMIT_NOFILE, &m->files);
	if (dup2(m->null_fd, STDIN_FILENO) < 0 ||
		dup2(l->output, STDOUT_FILENO) < 0 ||
		dup2(l->output, STDERR_FILENO) < 0)
		_exit(CHILD_EXIT_SICK);
	rc = inherit_arrange(l->fds, l->n_fds);
	if (rc < 0) {
		say("<3>[master] descriptors of a child cannot be arranged\n");
		_exit(CHILD_EXIT_SICK);
	}
	execve(m->child_program, argv, m->child_environment);
	rc = errno;
	say("<3>[master] ");
	say(m->child_program);
	say(" cannot be executed: ");
	say(strerrordesc_np(rc));
	say("\n");
	_exit(status_of(rc));
}

/* --- in the master ---------------------------------------------------------- */

static int
prepare_launch(struct launch *l, const struct master *m,
	const struct generation *g, const struct child *c)
{
	struct inheritance in = {
		.slot = c->slot,
		.generation = g->number,
		.n_listeners = (unsigned)g->n_listeners,
		.n_logs = (unsigned)g->n_logs,
		.has_set = g->set >= 0,
	};
	size_t n = INHERIT_REST - INHERIT_CHANNEL;

	l->fds = calloc(n + g->n_listeners + g->n_logs, sizeof(*l->fds));
	if (l->fds == NULL)
		return -ENOMEM;
	inherit_format(&in, l->argument);
	l->fds[INHERIT_CONFIG - INHERIT_CHANNEL] = g->config_fd;
	l->fds[INHERIT_SET - INHERIT_CHANNEL] =
		g->set >= 0 ? g->set : m->null_fd;
	l->fds[INHERIT_PEERS - INHERIT_CHANNEL] = m->peers;
	l->fds[INHERIT_GIVE - INHERIT_CHANNEL] = m->pool_give;
	l->fds[INHERIT_TAKE - INHERIT_CHANNEL] = m->pool_take;
	for (size_t i = 0; i < g->n_listeners; i++)
		l->fds[n++] = g->listeners[i].fd;
	for (size_t i = 0; i < g->n_logs; i++)
		l->fds[n++] = g->logs[i];
	l->n_fds = n;
	return 0;
}

/* The child runs.  What fails from here on makes it useless; its death is
 * one that nobody had told it, so that whoever waits for it hears of it. */
static int
adopt(struct master *m, struct child *c, const struct generation *g, pid_t pid,
	int channel, int output)
{
	unsigned slot = c->slot;
	int rc;

	*c = (struct child){
		.channel = {.fd = -1},
		.pid = pid,
		.slot = slot,
		.generation = g->number,
		.deadline_ns = NEVER,
	};
	if (g->config->startup_timeout > 0)
		c->deadline_ns = m->now_ns + g->config->startup_timeout * MS_NS;
	child_happened(m, c, LIFECYCLE_FORKED);
	rc = relay_open(m, output, pid);
	if (rc == 0)
		rc = master_watch(m, &c->channel, channel, child_speaks);
	else
		close(channel);
	if (rc < 0) {
		log_errorx("master", "child pid %d cannot be watched: %s",
			(int)pid, strerror(-rc));
		c->killed = true;
		kill(pid, SIGKILL);
	}
	log_info("master", "child pid %d (slot %u, generation %u) started",
		(int)pid, c->slot, c->generation);
	return 0;
}

static int
launch_child(struct master *m, const struct generation *g, struct child *c,
	int page, struct err *err)
{
	AUTO_CLOSE int channel = -1, far_channel = -1, mutex = -1;
	int output[2], ends[2], rc;
	struct launch l = {0};
	pid_t pid;

	rc = channel_pair(&ends[0], &ends[1]);
	if (rc < 0)
		return err_set(err, -rc, "channel of a child");
	channel = ends[0];
	far_channel = ends[1];
	if (pipe2(output, O_CLOEXEC) < 0)
		return err_set(err, errno, "output of a child");
	l.output = output[1];
	mutex = mutex_export(m);
	if (prepare_launch(&l, m, g, c) == 0) {
		l.fds[INHERIT_MUTEX - INHERIT_CHANNEL] =
			mutex >= 0 ? mutex : m->null_fd;
		l.fds[0] = far_channel;
		l.fds[INHERIT_PAGE - INHERIT_CHANNEL] = page;
		pid = fork();
	} else {
		pid = -1;
		errno = ENOMEM;
	}
	if (pid == 0)
		become_child(m, &l);
	rc = errno;
	free(l.fds);
	close(output[1]);
	if (pid < 0) {
		close(output[0]);
		return err_set(err, rc, "fork of a child");
	}
	rc = channel;
	channel = -1;
	return adopt(m, c, g, pid, rc, output[0]);
}

int
spawn_child(struct master *m, const struct generation *g, struct child **ret,
	struct err *err)
{
	struct child *c = find_vacant(m);
	AUTO_CLOSE int page = -1;
	int rc;

	if (c == NULL)
		return err_setx(err, EAGAIN,
			"no slot is free: %u children have not ended yet",
			m->n_slots);
	page = scoreboard_renew_page(m->scoreboard, c->slot, err);
	if (page < 0)
		return page;
	rc = launch_child(m, g, c, page, err);
	if (rc == 0 && ret != NULL)
		*ret = c;
	return rc;
}
