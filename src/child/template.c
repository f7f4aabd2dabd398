/*
 * template.c - the process that has the application and forks children.
 *
 * One for each generation: it imports the application once, as the user that
 * the children run as, and then forks a child whenever the master says so.  It
 * serves nobody and holds nothing of any slot; that comes with the order.
 *
 * Its children are the master's: it forks twice, the process in between ends,
 * and the kernel gives the orphan to the master, which alone can wait for it.
 * The child speaks first only when that has happened, and the kernel adds who
 * it is, so that the master need not believe anybody.
 */
#include "child/template.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mappings.h"
#include "child/connected.h"
#include "child/forking.h"
#include "child/sigterm.h"
#include "net/channel.h"
#include "net/inherit.h"
#include "python/app.h"

/* A flag could be set just before the loop begins to wait. */
void
template_on_sigterm(int signal)
{
	int before = errno;

	(void)signal;
	(void)shutdown(INHERIT_CHANNEL, SHUT_RDWR);
	errno = before;
}

/* --- in the child -------------------------------------------------------------- */

/* Unless the application has taken the signal for itself. */
static void
be_no_template(void)
{
	struct sigaction action;

	if (sigaction(SIGTERM, NULL, &action) < 0 ||
		action.sa_handler != template_on_sigterm)
		return;
	action.sa_handler = sigterm_on_signal;
	(void)sigaction(SIGTERM, &action, NULL);
}

/* Until the process in between has ended, and we are the master's.  Without a
 * byte the template thinks that there is no child. */
static bool
wait_at(int gate[2])
{
	char byte;
	ssize_t n;

	close(gate[1]);
	do
		n = read(gate[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(gate[0]);
	return n == 1;
}

/* A child that cannot even say that it is there is nobody's. */
static void
begin(struct inheritance *in, struct channel_message *order, int gate[2])
{
	be_no_template();
	if (!wait_at(gate) ||
		inherit_take_place(in, order->fds, order->n_fds) < 0 ||
		channel_send(INHERIT_CHANNEL, CHANNEL_BORN, 0, NULL, NULL, 0) <
			0)
		forking_leave_copy(0);
	in->is_template = 0;
}

/* The hooks of some libraries have a thread start theirs. */
enum { GRACE_MS = 100, GRACE_STEP_MS = 5 };

static bool
misses_threads(struct app *app, char *names, size_t size)
{
	for (int waited = 0; app_missing_threads(app, names, size);
		waited += GRACE_STEP_MS) {
		if (waited >= GRACE_MS)
			return true;
		app_leave(app);
		(void)poll(NULL, 0, GRACE_STEP_MS);
		app_enter(app);
	}
	return false;
}

/* Before there are any of the server's. */
static void
warn_of_threads(struct app *app)
{
	char names[CHANNEL_TEXT];

	if (misses_threads(app, names, sizeof(names)))
		log_warnx("child",
			"the application has started threads in the template "
			"process, which its children do not have: %s; unless "
			"their library starts them when they are needed, start "
			"them at the first request of a client, or in a "
			"function that os.register_at_fork calls "
			"after_in_child",
			names);
	app_forget_threads(app);
}

/* --- in the template ------------------------------------------------------------- */

/* The exit status of the process in between is the errno of its own fork. */
static int
wait_for(pid_t between)
{
	int status;

	while (waitpid(between, &status, 0) < 0)
		if (errno != EINTR)
			/* The application ignores SIGCHLD: it has ended. */
			return errno == ECHILD ? 0 : -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* 0 in the child, 1 in the template, or a negative errno. */
static int
fork_twice(void)
{
	pid_t between = fork(), pid;
	int rc;

	if (between < 0)
		return -errno;
	if (between > 0) {
		rc = wait_for(between);
		return rc < 0 ? rc : 1;
	}
	pid = fork();
	if (pid != 0)
		_exit(pid < 0 ? errno : 0);
	return 0;
}

/* As fork_twice. */
static int
fork_child(
	struct app *app, struct inheritance *in, struct channel_message *order)
{
	int gate[2], rc;

	if (pipe2(gate, O_CLOEXEC) < 0)
		return -errno;
	app_before_fork(app);
	rc = fork_twice();
	if (rc == 0) {
		begin(in, order, gate);
	} else {
		close(gate[0]);
		if (rc > 0)
			(void)!write(gate[1], "", 1);
		close(gate[1]);
	}
	app_after_fork(app, rc == 0);
	return rc;
}

/* The slot's own channel tells the master that this child will not come. */
static void
refuse(const struct channel_message *order, int error)
{
	struct err err = {0};

	err_set(&err, error, "fork of a child");
	if (order->n_fds > INHERIT_FORK_CHANNEL)
		(void)channel_send(order->fds[INHERIT_FORK_CHANNEL],
			CHANNEL_FAILED, 0, err.text, NULL, 0);
}

/* TEMPLATE_FORKED in the child. */
static enum template_end
obey_fork(
	struct app *app, struct inheritance *in, struct channel_message *order)
{
	struct inheritance slot = *in;
	int rc = -EPROTO;

	if (order->n_fds == INHERIT_FORK_LOGS + (size_t)in->n_logs &&
		inherit_parse_slot(&slot.slot, order->text) == 0)
		rc = fork_child(app, &slot, order);
	if (rc == 0) {
		*in = slot;
		warn_of_threads(app);
		return TEMPLATE_FORKED;
	}
	if (rc < 0)
		refuse(order, -rc);
	else
		app_forget_threads(app); /* its first child speaks for all */
	return TEMPLATE_OVER;
}

/* Threads of the application may run meanwhile.  1 with an order, 0 when there
 * will be none, or a negative errno. */
static int
wait_for_order(struct app *app, struct channel_message *order)
{
	struct pollfd channel = {.fd = INHERIT_CHANNEL, .events = POLLIN};
	int rc;

	app_leave(app);
	do {
		(void)poll(&channel, 1, -1);
		rc = channel_receive(INHERIT_CHANNEL, order);
	} while (rc == -EAGAIN || rc == -EINTR || rc == -EPROTO);
	app_enter(app);
	return rc;
}

static void
warn_of_connections(const struct inheritance *in)
{
	char peers[CHANNEL_TEXT];

	if (connected_name(inherit_end(in), peers, sizeof(peers)))
		log_warnx("child",
			"the application has left connections open in the "
			"template process, which its children would all use at "
			"once: %s; close them where they are opened",
			peers);
}

static int
cut_off(int rc, struct err *err)
{
	return err_set(err, -rc,
		"the template process and the master cannot talk any more; has "
		"the application closed descriptors that are not its own?");
}

static int
obey_orders(struct app *app, struct inheritance *in, struct err *err)
{
	for (;;) {
		struct channel_message order;
		int rc = wait_for_order(app, &order);

		if (rc < 0)
			return cut_off(rc, err);
		if (rc == 0 || order.kind == CHANNEL_STOP)
			return TEMPLATE_OVER;
		if (order.kind == CHANNEL_LOG_LEVEL &&
			log_level_of(order.text) >= 0)
			log_set_level((enum log_level)log_level_of(order.text));
		if (order.kind == CHANNEL_FORK &&
			obey_fork(app, in, &order) == TEMPLATE_FORKED)
			return TEMPLATE_FORKED;
		for (size_t i = 0; i < order.n_fds; i++)
			close(order.fds[i]);
	}
}

int
template_run(struct app *app, struct inheritance *in, struct err *err)
{
	char python[64] = "Python ";
	int threads, rc;

	app_settle(app);
	rc = app_freeze(app, err);
	if (rc < 0)
		return rc;
	threads = app_note_threads(app);
	warn_of_connections(in);
	strncat(python, app_python_version(), sizeof(python) - 8);
	rc = channel_send(INHERIT_CHANNEL, CHANNEL_READY, 0, python, NULL, 0);
	if (rc < 0 && rc != -EPIPE)
		return cut_off(rc, err);
	if (threads == 0)
		(void)mappings_put_away();
	return obey_orders(app, in, err);
}
