/*
 * start.c - start, configtest and doctor, which are wsgid's own doing.
 *
 * wsgictl finds the program, gives it the words that it was given, and makes
 * of its end an exit status and a sentence.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "built_with.h"
#include "config/config.h"
#include "wsgictl/children.h"
#include "wsgictl/command.h"
#include "wsgictl/doctor.h"
#include "wsgictl/instance.h"
#include "wsgictl/present.h"
#include "wsgictl/say.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/target.h"
#include "wsgictl/verbs.h"
#include "wsgictl/wanted.h"

enum {
	WSGID_EXIT_CONFIG = 78,
	FINDINGS_MAX = 1024 * 1024,
};

/* Beside wsgictl, as it is built, or as it is installed. */
static int
find_program(char to[PATH_MAX], struct err *err)
{
	static const char *const places[] = {"wsgid", "../sbin/wsgid"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return err_set(err, errno, "/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int len = snprintf(to, PATH_MAX, "%s%s", self, places[i]);

		if (len < PATH_MAX && access(to, X_OK) == 0)
			return 0;
	}
	return err_setx(err, ENOENT,
		"the program wsgid is neither beside wsgictl, in %s, nor in "
		"%s../sbin; is it installed?",
		self, self);
}

/* --- running it --------------------------------------------------------------- */

/* The words of wsgid: first, and then what was said here. */
static const char **
make_words(const struct command *c, const char *program, const char *first,
	const char *config_file)
{
	const char **words = calloc(c->n_rest + 5, sizeof(*words));
	size_t n = 0;

	if (words == NULL)
		return NULL;
	words[n++] = program;
	words[n++] = first;
	if (config_file != NULL) {
		words[n++] = "--config";
		words[n++] = config_file;
	}
	memcpy(words + n, c->rest, c->n_rest * sizeof(*words));
	return words;
}

/* 0 when it is readable, -ETIMEDOUT when it is not by end_ns; a signal ends
 * nothing. */
static int
wait_until(int pidfd, int64_t end_ns)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, (int)target_wait_left(end_ns));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > 0 ? 0 : -ETIMEDOUT;
}

/* Its wait status; -ETIMEDOUT when it has not ended by end_ns, -1 for as long
 * as it takes. */
static int
wait_for(pid_t pid, int64_t end_ns, int *wait_status)
{
	AUTO_CLOSE int pidfd = end_ns >= 0 ? pidfd_open(pid, 0) : -1;
	int rc = pidfd >= 0 ? wait_until(pidfd, end_ns) : 0;

	if (rc < 0)
		return rc;
	while (waitpid(pid, wait_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int
code_of(int wait_status, struct err *err)
{
	if (WIFSIGNALED(wait_status)) {
		err_setx(err, ECHILD, "wsgid was ended by signal %d (%s)",
			WTERMSIG(wait_status),
			strsignal(WTERMSIG(wait_status)));
		return EXIT_FAILED;
	}
	switch (WEXITSTATUS(wait_status)) {
	case 0:
		return EXIT_DONE;
	case EXIT_USAGE:
		return EXIT_USAGE;
	case WSGID_EXIT_CONFIG:
		return EXIT_CONFIG;
	default:
		return EXIT_FAILED;
	}
}

/* With its standard output at out, unless that is -1. */
static int
spawn(pid_t *pid, const char *const *words, int out)
{
	posix_spawn_file_actions_t actions;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc != 0)
		return rc;
	if (out >= 0)
		rc = posix_spawn_file_actions_adddup2(
			&actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(pid, words[0], &actions, NULL,
			(char *const *)words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* A wsgid that is to be run. */
struct job {
	const struct command *command;
	const char *const *words;
	int out;        /* its standard output, or -1 for ours */
	int64_t end_ns; /* of the waiting for it; -1: it has none */
};

/* What wsgid has to say it says itself, on the same terminal; but for its
 * standard output where somebody wants that. */
static int
run(const struct job *job, struct err *err)
{
	const struct command *c = job->command;
	const char *const *words = job->words;
	int wait_status, rc;
	pid_t pid;

	fflush(stdout);
	rc = spawn(&pid, words, job->out);
	if (rc != 0) {
		err_set(err, rc, "%s", words[0]);
		return EXIT_FAILED;
	}
	rc = wait_for(pid, job->end_ns, &wait_status);
	if (rc == -ETIMEDOUT && c->wait_ms == 0)
		return EXIT_DONE;
	if (rc == -ETIMEDOUT) {
		err_setx(err, ETIMEDOUT,
			"wsgid (pid %d) has not come to a result within %g s; "
			"it goes on",
			(int)pid, (double)c->wait_ms / 1000);
		return EXIT_LATE;
	}
	if (rc < 0) {
		err_set(err, -rc, "%s", words[0]);
		return EXIT_FAILED;
	}
	return code_of(wait_status, err);
}

/* --name stands for a configuration of that name; -ENOENT and a sentence when
 * there is none.  *ret is NULL where nothing needs to be added. */
static int
find_config(const struct command *c, char to[PATH_MAX], const char **ret,
	struct err *err)
{
	*ret = NULL;
	if (c->name == NULL || c->config_file != NULL)
		return 0;
	snprintf(to, PATH_MAX, "%s/wsgid/%s.conf", SYSCONFDIR, c->name);
	if (access(to, F_OK) < 0)
		return err_set(err, errno,
			"a new server is called after its configuration, and "
			"that of %s would be %s",
			c->name, to);
	*ret = to;
	return 0;
}

/* --- start ---------------------------------------------------------------------- */

/* The one of these that runs, and has begun since. */
static const struct instance *
find_begun(const struct instances *all, int64_t since_us)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].state == INSTANCE_RUNNING &&
			all->list[i].start_us >= since_us)
			return &all->list[i];
	return NULL;
}

static void
say_started(const struct config *wanted, int64_t since_us)
{
	struct config any = *wanted;
	const struct instance *i;
	struct instances all;
	struct snapshot s;
	struct err err = {0};

	/* Port 0 is no name. */
	any.name = NULL;
	any.pid_file = NULL;
	if (instances_find_configured(&all, &any, &err) < 0)
		return;
	i = find_begun(&all, since_us);
	if (i == NULL)
		say("wsgid has started, but in no run directory that it may "
		    "write to, so the other verbs will not find it: start it "
		    "with --run-directory DIRECTORY\n");
	else if (snapshot_take(&s, i->board, true, since_us, &err) < 0)
		say("%s has started, pid %d\n", i->name, (int)i->pid);
	else {
		say("%s has started, pid %d: %s at %s\n", i->name, (int)i->pid,
			s.board.application, s.board.listeners);
		snapshot_fini(&s);
	}
	instances_fini(&all);
}

/* Somebody else's directory: wsgid would find it out too, but that would be a
 * mistake of the configuration, which it is not. */
static bool
may_write_to(const char *directory, struct err *err)
{
	char me[ACCOUNT_NAME], owner[ACCOUNT_NAME];
	struct stat st;

	if (directory == NULL || access(directory, W_OK | X_OK) == 0 ||
		errno != EACCES || stat(directory, &st) < 0)
		return true;
	account_user_name(geteuid(), me);
	account_user_name(st.st_uid, owner);
	err_setx(err, EACCES,
		"RunDirectory %s is user %s's, and you are %s: you may not "
		"start a server there; try sudo",
		directory, owner, me);
	return false;
}

static int
start(const struct command *c, const char *const *words, size_t n,
	struct err *err)
{
	const struct job job = {c, words, -1, target_wait_end(c)};
	struct config *wanted = wanted_config(words + 2, n - 2, err);
	int64_t begin_us;
	int status;

	if (wanted == NULL)
		return EXIT_FAILED;
	if (present_wait(c, wanted, job.end_ns, &status, err)) {
		config_destroy(wanted);
		return status;
	}
	*err = (struct err){0}; /* whoever has ended, it is our turn */
	begin_us = clock_real_us();
	if (may_write_to(wanted->run_directory, err))
		status = run(&job, err);
	else
		status = EXIT_DENIED;
	/* Somebody else, who began at the same time, was faster? */
	if (status == EXIT_FAILED &&
		present_wait(c, wanted, job.end_ns, &status, err)) {
		config_destroy(wanted);
		return status;
	}
	if (status == EXIT_DONE && c->wait_ms == 0)
		say("wsgid has been started; whether it serves is not waited "
		    "for\n");
	else if (status == EXIT_DONE)
		say_started(wanted, begin_us);
	config_destroy(wanted);
	return status;
}

int
verb_start(const struct command *c, struct err *err)
{
	char program[PATH_MAX], path[PATH_MAX];
	const char **words, *config_file;
	size_t n = 0;
	int status;

	if (find_program(program, err) < 0)
		return EXIT_FAILED;
	if (find_config(c, path, &config_file, err) < 0)
		return EXIT_CONFIG;
	words = make_words(c, program, "--daemon", config_file);
	if (words == NULL) {
		err_set(err, ENOMEM, "command line");
		return EXIT_FAILED;
	}
	while (words[n] != NULL)
		n++;
	status = start(c, words, n, err);
	free(words);
	return status;
}

/* wsgid with one word of ours before those of the command line, to its end. */
static int
run_with(const struct command *c, const char *word, int out, struct err *err)
{
	char program[PATH_MAX], path[PATH_MAX];
	const char **words, *config_file;
	int status;

	if (find_program(program, err) < 0)
		return EXIT_FAILED;
	if (find_config(c, path, &config_file, err) < 0)
		return EXIT_CONFIG;
	words = make_words(c, program, word, config_file);
	if (words == NULL) {
		err_set(err, ENOMEM, "command line");
		return EXIT_FAILED;
	}
	status = run(&(struct job){c, words, out, target_wait_end(c)}, err);
	free(words);
	return status;
}

int
verb_configtest(const struct command *c, struct err *err)
{
	return run_with(c, "--test", -1, err);
}

/* --- doctor --------------------------------------------------------------------- */

static int
show_findings(const struct command *c, int found, int status, struct err *err)
{
	AUTO_FREE char *text = NULL;
	struct buf all = {0}, out = {0};
	size_t len;
	int rc = fd_read_whole(found, FINDINGS_MAX, &text, &len);

	if (rc == 0) {
		buf_add(&all, text, len);
		children_describe(c, &all);
		rc = c->json ? doctor_json(&out, buf_text(&all),
				       status == EXIT_DONE)
			     : doctor_text(&out, buf_text(&all));
	}
	if (rc == 0)
		say_buf(stdout, &out);
	buf_fini(&all);
	buf_fini(&out);
	if (rc == 0)
		return status;
	err_set(err, -rc, "what wsgid has found");
	return EXIT_FAILED;
}

int
verb_doctor(const struct command *c, struct err *err)
{
	AUTO_CLOSE int found = memfd_create("findings", MFD_CLOEXEC);
	int status;

	if (found < 0) {
		err_set(err, errno, "memory for what wsgid finds");
		return EXIT_FAILED;
	}
	status = run_with(c, "--doctor", found, err);
	if (status == EXIT_USAGE || err->text[0] != '\0')
		return status;
	return show_findings(c, found, status, err);
}
