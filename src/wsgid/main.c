/*
 * main.c - wsgid: read the command line, read the configuration, serve.
 *
 * The only place of this program that exits and, until the log is open, the
 * only one that prints.  Exit status: 0, 1 when the application cannot be
 * served, 2 for a mistake on the command line, 78 for one in the
 * configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/title.h"
#include "base/workdir.h"
#include "config/config.h"
#include "master/master.h"
#include "wsgid/detach.h"
#include "wsgid/options.h"
#include "wsgid/texts.h"

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct program {
	struct options options;
	struct buf notices; /* of the settled configuration */
	int report;         /* to the process that started the daemon, or -1 */
	char *path;         /* where this program is; NULL: not known */
	struct heritage *heritage; /* of a master before us, or NULL */
};

/* What the journal takes a line's priority from, where it is the reader. */
static const char *
priority(enum log_level level)
{
	static const char *const known[] = {
		[LOG_LEVEL_ERROR] = "<3>",
		[LOG_LEVEL_WARN] = "<4>",
	};

	return log_is_journal(STDERR_FILENO) ? known[level] : "";
}

/* Others' words may be in it, of a file or the environment: a terminal obeys
 * none of them. */
static void
say(enum log_level level, const char *kind, const char *text, size_t len)
{
	AUTO_FREE char *clean = strndup(text, len);

	if (clean == NULL)
		return;
	len = printable_clean(clean, strlen(clean), "\n\t");
	fprintf(stderr, "%swsgid: %s%.*s\n", priority(level), kind, (int)len,
		clean);
}

static int
complain(int status, const struct err *err)
{
	say(LOG_LEVEL_ERROR, "", err->text, sizeof(err->text));
	return status;
}

static void
print_lines(enum log_level level, const char *kind, const char *lines)
{
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");

		say(level, kind, lines, len);
		lines += len + (lines[len] == '\n');
	}
}

static void
print_messages(const struct config *c)
{
	const struct config_message *m;

	for (size_t i = 0; (m = config_message(c, i)) != NULL; i++)
		say(m->fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
			m->fatal ? "" : "warning: ", m->text, strlen(m->text));
}

static void
print_notices(struct program *p)
{
	print_lines(LOG_LEVEL_WARN, "warning: ", buf_text(&p->notices));
}

/* A descriptor 0, 1 or 2 that is closed would be taken by something that
 * must not be written to by a careless print. */
static void
tidy_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	/* And what a careless caller left open is not for the children. */
	(void)close_range(
		STDERR_FILENO + 1, UINT_MAX, (int)CLOSE_RANGE_CLOEXEC);
}

static void
end(int signum)
{
	_exit(128 + signum);
}

/* The kernel gives process 1 no signal that it has no handler for, and until
 * the master hears them (hear_signals, of master.c) there is much to wait for:
 * a name server, or the import of --check.  A master who follows another one
 * has them blocked, and what has come meanwhile is for its loop. */
static void
be_mortal_as_process_1(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
	const struct sigaction mortal = {.sa_handler = end};
	struct sigaction now;

	if (getpid() != 1)
		return;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (sigaction(signals[i], NULL, &now) == 0 &&
			now.sa_handler != SIG_IGN)
			sigaction(signals[i], &mortal, NULL);
}

/* --- what the master asks back ------------------------------------------------ */

static struct config *
read_again(void *arg, struct err *err)
{
	struct program *p = arg;

	return options_read_config(&p->options, err);
}

static void
started(void *arg, int status, const char *text)
{
	struct program *p = arg;
	struct err why = {0};

	err_setx(&why, 0, "%s", text);
	if (p->report >= 0)
		detach_report(p->report, status, text);
	else if (text[0] != '\0')
		(void)complain(0, &why);
	p->report = -1;
}

/* --- actions ------------------------------------------------------------------ */

/* Not the server after all; the master before us goes on. */
static void
give_up(struct program *p, const char *reason)
{
	master_renounce(p->heritage, reason);
	p->heritage = NULL;
}

/* The settled configuration, or NULL and everything that is wrong on
 * standard error and an exit status. */
static struct config *
load_config(struct program *p, int *status)
{
	struct err err = {0};
	struct config *c = options_read_config(&p->options, &err);

	if (c == NULL) {
		*status = complain(EXIT_USAGE, &err);
		give_up(p, err.text);
		return NULL;
	}
	master_settle_trial(p->heritage, c);
	master_settle_port(p->heritage, c);
	if (master_settle(c, NULL, &p->notices) == 0)
		return c;
	print_messages(c);
	master_tell_mistakes(p->heritage, c);
	master_sum_up(c, &err);
	if (p->options.action == ACTION_DOCTOR)
		printf("problem: %s\n", err.text);
	give_up(p, err.text);
	*status = config_misread_option(c) ? EXIT_USAGE : EXIT_CONFIG;
	config_destroy(c);
	return NULL;
}

static int
test_config(struct program *p)
{
	struct err err = {0};
	int status = 0;
	struct config *c = load_config(p, &status);

	if (c == NULL)
		return status;
	print_messages(c);
	print_notices(p);
	if (!options_has_application(c, &err))
		say(LOG_LEVEL_WARN, "warning: ", err.text, sizeof(err.text));
	fputs("Syntax OK\n", stderr);
	config_destroy(c);
	return 0;
}

/* An application that is not named is a mistake for --check; --doctor looks at
 * Python alone then. */
static int
try_application(struct program *p, bool told)
{
	struct err err = {0};
	int status = 0;
	struct config *c = load_config(p, &status);

	if (c == NULL)
		return status;
	print_messages(c);
	if (!told && !options_has_application(c, &err))
		status = c->file != NULL ? EXIT_CONFIG : EXIT_USAGE;
	else
		status = master_check(c, told, &err);
	config_destroy(c);
	if (err.text[0] == '\0')
		return status;
	if (!told)
		return complain(status, &err);
	printf("problem: %s\n", err.text);
	return status;
}

static int
list_directives(void)
{
	struct buf text = {0};
	int rc = config_list_directives(&text);

	if (rc == 0)
		fwrite(text.data, 1, text.len, stdout);
	buf_fini(&text);
	return rc == 0 ? 0 : EXIT_FAILURE;
}

static bool
logs_to_terminal(const struct config *c)
{
	return c->error_log == NULL || strcmp(c->error_log, "-") == 0;
}

/* Who follows a daemon is one. */
static bool
is_to_detach(const struct program *p)
{
	return p->options.daemon && p->heritage == NULL;
}

static int
serve(struct program *p)
{
	struct master_order order = {
		.read = read_again,
		.started = started,
		.arg = p,
		.notices = &p->notices,
		.program = p->path,
		.argv = p->options.argv,
		.daemon = p->options.daemon,
		.heritage = p->heritage,
	};
	struct err err = {0};
	struct config *c;
	int status = 0, n_passed = 0;

	if (p->heritage == NULL)
		n_passed = master_check_sockets(&err);
	if (n_passed < 0)
		return complain(EXIT_CONFIG, &err);
	c = load_config(p, &status);
	if (c == NULL)
		return status;
	if (!options_has_application(c, &err)) {
		status = c->file != NULL ? EXIT_CONFIG : EXIT_USAGE;
	} else if (p->options.daemon && logs_to_terminal(c)) {
		status = EXIT_USAGE;
		err_setx(&err, EINVAL,
			"--daemon needs an ErrorLog: a daemon has no terminal "
			"to write to; add --error-log FILE");
	} else if (is_to_detach(p) && (p->report = detach(n_passed, &err)) < 0) {
		status = EXIT_FAILURE;
	} else {
		p->heritage = NULL;
		return master_run(&order, c);
	}
	give_up(p, err.text);
	config_destroy(c);
	return complain(status, &err);
}

/* Whoever reads it gets all of it, or hears of that. */
static int
printed(int status)
{
	struct err err = {0};

	if (fflush(stdout) == EOF)
		err_set(&err, errno, "standard output");
	else if (ferror(stdout)) /* of what nobody knows any more */
		err_setx(&err, EIO,
			"standard output: not all of it could be written");
	else
		return status;
	return complain(status == 0 ? EXIT_FAILURE : status, &err);
}

static int
act(struct program *p)
{
	switch (p->options.action) {
	case ACTION_HELP:
		texts_print_help();
		return printed(0);
	case ACTION_VERSION:
		texts_print_version();
		return printed(0);
	case ACTION_FACTS:
		texts_print_facts();
		return printed(0);
	case ACTION_LIST:
		return printed(list_directives());
	case ACTION_TEST:
		return test_config(p);
	case ACTION_CHECK:
	case ACTION_DOCTOR:
		return printed(
			try_application(p, p->options.action == ACTION_DOCTOR));
	case ACTION_SERVE:
		break;
	}
	return serve(p);
}

int
main(int argc, char **argv)
{
	struct program p = {.report = -1};
	struct err err = {0};
	int status;

	be_mortal_as_process_1();
	tidy_descriptors();
	/* Whoever ignores the end of children has us inherit that, and the
	 * kernel would tell nobody of the end of ours. */
	signal(SIGCHLD, SIG_DFL);
	workdir_note();
	p.path = program_path();
	if (master_inherit(&p.heritage, &err) < 0) {
		status = complain(EXIT_FAILURE, &err);
	} else if (options_parse(&p.options, argc, argv, &err) < 0) {
		status = EXIT_USAGE;
		if (p.options.mistakes.len > 0)
			print_lines(LOG_LEVEL_ERROR, "",
				buf_text(&p.options.mistakes));
		else
			complain(status, &err);
		give_up(&p, err.text);
	} else {
		(void)title_init(argc, argv);
		status = act(&p);
	}
	give_up(&p, NULL);
	options_fini(&p.options);
	buf_fini(&p.notices);
	free(p.path);
	return status;
}
