/*
 * child.c - THE LIFE of a child: what the master left, ring, privileges,
 * Python, application, requests, end.
 *
 * The order matters.  The ring is made while the process still is root, unless
 * there is an EnvironmentFile (master/apart.c): newer kernels charge a ring's
 * memory to the user, and not to root.  Python starts after the privileges are gone: nothing of an application ever runs
 * with them.
 *
 * A template (template.c) lives the same life up to the import and the warm-up,
 * but for what belongs to one slot; each child that it forks goes on from there,
 * takes its slot and has only then a ring, which no fork may share.
 */
#include "child/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/title.h"
#include "built_with.h"
#include "child/access_log.h"
#include "child/application.h"
#include "child/balance.h"
#include "child/coredump.h"
#include "child/engine.h"
#include "child/forking.h"
#include "child/libraries.h"
#include "child/orphan.h"
#include "child/received.h"
#include "child/reloader.h"
#include "child/rings.h"
#include "child/sigterm.h"
#include "child/standard.h"
#include "child/template.h"
#include "child/tokens.h"
#include "child/unbelieved.h"
#include "child/warm_up.h"
#include "child/workers.h"
#include "config/config.h"
#include "io/io.h"
#include "lock/accept_mutex.h"
#include "net/channel.h"
#include "net/inherit.h"
#include "python/app.h"
#include "pythons/facts.h"
#include "scoreboard/scoreboard.h"

struct child {
	const struct inheritance *in; /* = &own */
	struct inheritance own;
	const struct facts *facts; /* of this program */
	struct config *config;
	struct wsgid_page_map page;
	struct access_log *access_log;
	struct io **rings; /* one for each worker */
	size_t n_workers;
	struct accept_mutex *mutex;
	struct balance balance;
	struct app *app;
	struct libraries libraries;
	struct reloader *reloader; /* NULL: nobody asked for it */
	char server[TOKENS_SIZE];
	int *listeners;
	struct standard standard;
	struct unbelieved unbelieved;
	struct workers *workers;
	bool forked; /* this is a copy that the application has made */
	struct forking forking;
	sigset_t mask; /* before a fork by the application */
};

/* --- what the master left ------------------------------------------------------- */

/* What all children of the generation have. */
static int
receive(struct child *c, struct err *err)
{
	const struct inheritance *in = c->in;
	int rc = received_config(&c->config, err);

	if (rc < 0)
		return rc;
	c->n_workers = (size_t)c->config->threads_per_child;
	log_set_level((enum log_level)c->config->log_level);
	rc = balance_open(&c->balance, INHERIT_SIBLINGS, in->slot, err);
	if (rc < 0)
		return rc;
	c->listeners = calloc(in->n_listeners + 1, sizeof(int));
	if (c->listeners == NULL)
		return err_set(err, ENOMEM, "listeners");
	for (unsigned i = 0; i < in->n_listeners; i++)
		c->listeners[i] = INHERIT_REST + (int)i;
	return 0;
}

/* What this child alone has. */
static int
receive_slot(struct child *c, struct err *err)
{
	const struct inheritance *in = c->in;
	int first_log = INHERIT_REST + (int)in->n_listeners;
	int logs[CHANNEL_FDS];
	int rc = scoreboard_map_page(
		&c->page, INHERIT_PAGE, (unsigned)c->config->thread_limit, err);

	if (rc < 0)
		return rc;
	standard_keep(&c->standard);
	c->page.page->pid = getpid();
	c->page.page->generation = in->generation;
	for (size_t i = 0; i < c->n_workers; i++)
		c->page.workers[i].state = WSGID_WORKER_STARTING;

	c->balance.slot = in->slot;
	if (in->n_logs > CHANNEL_FDS)
		return err_setx(
			err, EINVAL, "more than %d access logs", CHANNEL_FDS);
	for (unsigned i = 0; i < in->n_logs; i++)
		logs[i] = first_log + (int)i;
	return access_log_create(
		&c->access_log, c->config, logs, in->n_logs, err);
}

/* An exec keeps what is not marked, and the application's subprocesses are
 * to inherit nothing of ours. */
static void
mark_descriptors(const struct inheritance *in)
{
	for (int fd = INHERIT_CHANNEL; fd < inherit_end(in); fd++)
		(void)fd_set_cloexec(fd, true);
}

static void
close_descriptors(const struct inheritance *in)
{
	for (int fd = INHERIT_CHANNEL; fd < inherit_end(in); fd++)
		close(fd);
}

static void
do_nothing(int signal)
{
	(void)signal;
}

/* Ctrl-C reaches the whole foreground group, but only the master decides who
 * goes, unless the application itself does: so a handler, and not SIG_IGN, which subprocesses would inherit.
 * SIGPIPE is ignored as Python itself does; subprocess restores it. */
static void
set_signals(const struct inheritance *in)
{
	static const int harmless[] = {
		SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT};
	struct sigaction action = {.sa_handler = do_nothing};

	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		(void)sigaction(harmless[i], &action, NULL);
	action.sa_handler =
		in->is_template ? template_on_sigterm : sigterm_on_signal;
	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
	action.sa_sigaction = sigterm_on_interrupt;
	action.sa_flags = SA_SIGINFO;
	(void)sigaction(SIGINT, &action, NULL);
}

/* --- accept mutex -------------------------------------------------------------------- */

/* One listener needs none: the master has left /dev/null, as where there is
 * none. */
static int
attach_mutex(struct child *c, struct err *err)
{
	char mechanism[32];

	if (c->in->n_listeners < 2 || !config_has_mutex(c->config))
		return 0;
	snprintf(mechanism, sizeof(mechanism), "%.*s",
		(int)strcspn(c->config->mutex, ":"), c->config->mutex);
	return accept_mutex_attach(&c->mutex, mechanism, INHERIT_MUTEX, err);
}

/* --- forks by the application ----------------------------------------------------- */

/* A copy must not hear SIGTERM before it has forgotten that it was a child. */
static void
hold_sigterm(struct child *c)
{
	sigset_t sigterm;

	sigemptyset(&sigterm);
	sigaddset(&sigterm, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &sigterm, &c->mask);
}

static void
let_sigterm_come(const struct child *c)
{
	(void)pthread_sigmask(SIG_SETMASK, &c->mask, NULL);
}

static void
before_fork(void *arg)
{
	struct child *c = arg;

	forking_lock(&c->forking, c->app);
	forking_lock_imports(&c->forking, c->app);
	if (!c->forked)
		workers_before_fork(c->workers);
	hold_sigterm(c);
}

/* Where somebody else forks just now it is for him to do, afterwards. */
static void
start_helpers(void *arg)
{
	struct child *c = arg;

	if (!forking_try_lock(&c->forking))
		return;
	workers_start_helpers(c->workers);
	forking_unlock(&c->forking);
}

/* Python counts the threads after this.  Where another than the main thread has
 * forked there are several anyway, and the main one may be idle for long. */
static void
after_fork_in_parent(void *arg)
{
	struct child *c = arg;

	let_sigterm_come(c);
	if (!c->forked)
		workers_after_fork(c->workers);
	forking_unlock_imports(&c->forking);
	forking_unlock(&c->forking);
	if (c->forked || c->workers == NULL)
		return;
	if (gettid() != getpid() || app_call_soon(c->app, start_helpers, c) < 0)
		start_helpers(c);
}

/* To end the copy is the application's business, as with Process.terminate;
 * unless it handles the signal itself. */
static void
forget_sigterm(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL}, action;

	if (sigaction(SIGTERM, NULL, &action) == 0 &&
		(action.sa_handler == sigterm_on_signal ||
			action.sa_handler == template_on_sigterm))
		(void)sigaction(SIGTERM, &standard, NULL);
}

/* The copy must hold nothing open: clients, which would wait for the end of a
 * response that has ended, and the port, which must be free when we are gone.
 * A copy of the copy has none of it: those numbers are the application's. */
static void
after_fork_in_child(void *arg)
{
	struct child *c = arg;

	forking_unlock_imports(&c->forking);
	forking_unlock(&c->forking);
	if (c->forked) {
		let_sigterm_come(c);
		return;
	}
	close_descriptors(c->in);
	standard_forget(&c->standard);
	forget_sigterm();
	let_sigterm_come(c);
	rings_abandon(c->rings, c->n_workers);
	c->forked = true;
	workers_abandon(c->workers);
	accept_mutex_destroy(c->mutex);
}

static int
start_python(struct child *c, struct err *err)
{
	const struct app_forks forks = {
		before_fork, after_fork_in_parent, after_fork_in_child, c};

	return application_start(&c->app, c->config, c->facts, &forks, err);
}

/* The copy of a module that forks comes back from the import as well, and is
 * no child of the server. */
static int
import_application(struct child *c, struct err *err)
{
	int rc = application_import(c->app, c->config, err);

	if (c->forked)
		forking_leave_copy(app_copy_status(c->app));
	standard_mend(&c->standard);
	return rc;
}

/* What it answers to the first child decides about its generation.  Later on,
 * when its database is away, those who could be served are to be; and who
 * writes it wants to see what it answers. */
static int
warm_application_up(struct child *c, struct err *err)
{
	bool only = c->in->warm_up == INHERIT_WARM_ONLY && !c->config->reload;
	int rc;

	if (c->in->warm_up == INHERIT_COLD) {
		warm_up_leave_out(c->config);
		return 0;
	}
	rc = warm_up(c->app, c->config, only, err);
	if (c->forked || rc == -ECHILD)
		forking_leave_copy(app_copy_status(c->app));
	return rc;
}

/* The import may take long, and so may a request. */
static void
prepare_for_orphanhood(const struct child *c)
{
	orphan_prepare(&(struct orphan_settings){
		.channel = INHERIT_CHANNEL,
		.listeners = c->listeners,
		.n_listeners = c->in->n_listeners,
		.shared = &c->balance.news->shared,
		.timeout_ms = c->config->graceful_shutdown_timeout,
	});
}

/* --- life ------------------------------------------------------------------------------ */

/* Why the child cannot live goes to the master, which decides what it means
 * and says it. */
static int
fail(int status, const struct err *err)
{
	(void)channel_send(
		INHERIT_CHANNEL, CHANNEL_FAILED, 0, err->text, NULL, 0);
	return status;
}

static void
say_ready(struct child *c)
{
	char text[CHANNEL_TEXT];

	snprintf(text, sizeof(text), "Python %s, %s", app_python_version(),
		io_name(c->rings[0]));
	scoreboard_put_text(c->page.page->io_engine,
		sizeof(c->page.page->io_engine), io_name(c->rings[0]),
		strlen(io_name(c->rings[0])));
	for (size_t i = 0; i < c->n_workers; i++)
		c->page.workers[i].state = WSGID_WORKER_READY;
	if (c->in->slot == 0 &&
		strcmp(app_python_version(), c->facts->version) != 0)
		log_notice("child", "compiled for Python/%s, running Python/%s",
			c->facts->version, app_python_version());
	(void)channel_send(INHERIT_CHANNEL, CHANNEL_READY, 0, text, NULL, 0);
}

/* All of them, as who lacks one must not say that it is ready. */
static int
start_workers(struct child *c, struct err *err)
{
	const struct engine_settings settings = {
		.config = c->config,
		.listeners = c->listeners,
		.n_listeners = c->in->n_listeners,
		.set = inherit_set(c->in),
		.in_buckets = c->in->n_sets > 1,
		.channel = INHERIT_CHANNEL,
		.mutex = c->mutex,
		.balance = &c->balance,
		.alone = config_most_children(c->config) == 1,
		.give = INHERIT_GIVE,
		.take = INHERIT_TAKE,
		.slot = c->in->slot,
		.server = c->server,
		.page = &c->page,
		.access_log = c->access_log,
		.app = c->app,
		.libraries = &c->libraries,
		.standard = &c->standard,
		.unbelieved = &c->unbelieved,
		.forked = &c->forked,
		.forking = &c->forking,
	};
	int rc;

	tokens_write(c->server, c->config->server_tokens, WSGID_VERSION,
		app_python_version());
	/* A thread that the import has left may fork. */
	forking_lock(&c->forking, c->app);
	rc = workers_create(
		&c->workers, &settings, c->rings, c->n_workers, err);
	forking_unlock(&c->forking);
	return rc < 0 ? rc : workers_start(c->workers, err);
}

/* A crash without a coredump is no reason not to serve. */
static void
allow_coredumps(struct child *c)
{
	struct err err = {0};

	if (c->config->core_dump_directory == NULL ||
		coredump_enable(c->config->core_dump_directory, &err) == 0)
		return;
	/* One child speaks for all. */
	if (c->in->slot == 0)
		log_warnx("child", "there will be no coredumps: %s", err.text);
	else
		log_debug("child", "there will be no coredumps: %s", err.text);
}

/* 0 or an exit status. */
static int
take_slot(struct child *c, struct err *err)
{
	title_set("wsgid: child %u [%s]", c->in->slot, c->config->name);
	if (receive_slot(c, err) < 0)
		return fail(CHILD_EXIT_FATAL, err);
	if (rings_make(&c->rings, c->n_workers, c->config, INHERIT_CHANNEL,
		    c->in->slot == 0, err) < 0)
		return fail(CHILD_EXIT_CONFIG, err);
	if (attach_mutex(c, err) < 0)
		return fail(CHILD_EXIT_SICK, err);
	return 0;
}

static int
watch_files(struct child *c, struct err *err)
{
	c->reloader = reloader_start(c->app, INHERIT_CHANNEL, err);
	return c->reloader != NULL ? 0 : -err->code;
}

/* What does not load is shown instead, where somebody is about to mend it. */
static int
wait_for_change(struct child *c, struct err *err)
{
	struct err why = {0};

	if (c->reloader == NULL)
		return -1;
	log_errorx("child", "%s; waiting for a change", err->text);
	return app_show_failure(c->app, err->text, true, &why);
}

/* One child speaks for all. */
static void
warn_of_application(struct child *c)
{
	char doubts[512];

	if (c->in->slot == 0 && app_doubts(c->app, doubts, sizeof(doubts)))
		log_warnx("child", "%s", doubts);
}

static int
load_application(struct child *c, struct err *err)
{
	if (import_application(c, err) < 0)
		return wait_for_change(c, err);
	warn_of_application(c);
	return warm_application_up(c, err);
}

/* Python and the application.  0 or an exit status. */
static int
prepare(struct child *c, struct err *err)
{
	if (privileges_drop(c->config->user, c->config->group, err) < 0)
		return fail(CHILD_EXIT_FATAL, err);
	allow_coredumps(c);
	prepare_for_orphanhood(c);
	if (start_python(c, err) < 0)
		return fail(CHILD_EXIT_CONFIG, err);
	if (c->config->reload && watch_files(c, err) < 0)
		return fail(CHILD_EXIT_SICK, err);
	if (load_application(c, err) < 0)
		return fail(CHILD_EXIT_APPLICATION, err);
	reloader_look(c->reloader);
	if (libraries_check(&c->libraries, err) < 0)
		return fail(CHILD_EXIT_CONFIG, err);
	return 0;
}

/* Clients wait for the first generation.  While another gets ready its predecessors
 * serve, and need not be followed by children that still import.  Beside threads
 * of the application that takes long, and a first idle moment is soon over. */
static void
settle_beforehand(const struct child *c)
{
	if (c->in->generation > 1 || app_has_threads(c->app))
		app_settle(c->app);
}

/* With everything in its hands: from the workers and READY to the last
 * response. */
static int
work(struct child *c, struct err *err)
{
	int rc;

	settle_beforehand(c);
	if (start_workers(c, err) < 0)
		return fail(CHILD_EXIT_SICK, err);
	say_ready(c);
	rc = workers_serve(c->workers, err);
	if (rc < 0) {
		log_errorx("child", "%s", err->text);
		return CHILD_EXIT_SICK;
	}
	return rc > 0 ? CHILD_EXIT_CUT : CHILD_EXIT_OK;
}

/* The template's own end, and the life of each of its children. */
static int
live_as_template(struct child *c, struct err *err)
{
	int status, rc;

	title_set("wsgid: template [%s]", c->config->name);
	standard_keep(&c->standard);
	status = prepare(c, err);
	if (status != 0)
		return status;
	rc = template_run(c->app, &c->own, err);
	if (rc < 0) {
		log_errorx("child", "%s", err->text);
		return fail(CHILD_EXIT_SICK, err);
	}
	if (rc == TEMPLATE_OVER) {
		/* What Python has to finish may take a while, and the port
		 * must not wait for that. */
		close_descriptors(c->in);
		return CHILD_EXIT_OK;
	}
	forking_init(&c->forking); /* who else forked is no thread of ours */
	prepare_for_orphanhood(c); /* no fork inherits it */
	status = take_slot(c, err);
	return status != 0 ? status : work(c, err);
}

static int
live(struct child *c, struct err *err)
{
	int status;

	if (receive(c, err) < 0)
		return fail(CHILD_EXIT_FATAL, err);
	mark_descriptors(c->in);
	set_signals(c->in);
	if (c->in->is_template)
		return live_as_template(c, err);
	status = take_slot(c, err);
	if (status == 0)
		status = prepare(c, err);
	return status != 0 ? status : work(c, err);
}

int
child_run(const struct inheritance *in, const struct facts *facts)
{
	struct child *c = calloc(1, sizeof(*c));
	struct err err = {0};
	int status;

	if (c == NULL)
		return CHILD_EXIT_SICK;
	c->own = *in;
	c->in = &c->own;
	c->facts = facts;
	c->standard.log = -1;
	forking_init(&c->forking);
	libraries_init(&c->libraries, !facts_is_shared(facts), INHERIT_CHANNEL);
	status = live(c, &err);
	reloader_stop(c->reloader);
	if (c->app != NULL)
		application_end(c->app);
	rings_destroy(c->rings, c->n_workers);
	workers_destroy(c->workers);
	accept_mutex_destroy(c->mutex);
	balance_close(&c->balance);
	standard_forget(&c->standard);
	access_log_destroy(c->access_log);
	config_destroy(c->config);
	free(c->listeners);
	free(c);
	return status;
}
