/*
 * command.c - the command line of wsgictl.  See command.h.
 *
 * apachectl's ways are understood: "graceful" for "reload", and a verb
 * behind -k.
 */
#include "wsgictl/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "config/nearest.h"

static const struct verb_row {
	const char *name;
	enum verb verb;
	bool passes_on; /* what is not ours goes to wsgid */
	bool listed;    /* in the sentence about an unknown one */
} verbs[] = {
	{"start", VERB_START, true, true},
	{"stop", VERB_STOP, false, true},
	{"restart", VERB_RESTART, false, true},
	{"reload", VERB_RELOAD, false, true},
	{"graceful", VERB_RELOAD, false, false},
	{"upgrade", VERB_UPGRADE, false, true},
	{"scale", VERB_SCALE, false, true},
	{"graceful-stop", VERB_GRACEFUL_STOP, false, true},
	{"status", VERB_STATUS, false, true},
	{"fullstatus", VERB_FULLSTATUS, false, true},
	{"configtest", VERB_CONFIGTEST, true, true},
	{"doctor", VERB_DOCTOR, true, true},
	{"reopen-logs", VERB_REOPEN_LOGS, false, true},
	{"log-level", VERB_LOG_LEVEL, false, true},
	{"stacks", VERB_STACKS, false, true},
	{"version", VERB_VERSION, false, true},
	{"help", VERB_HELP, false, false},
};

/* What init scripts, nginx and others call them: told, but not obeyed, as some
 * mean a little more or less. */
static const struct {
	const char *name, *meant;
} others[] = {
	{"quit", "stop"},
	{"kill", "stop"},
	{"shutdown", "stop"},
	{"force-reload", "reload"},
	{"try-restart", "restart"},
	{"condrestart", "restart"},
	{"start-server", "start"},
	{"run", "start"},
	{"list", "status"},
	{"ps", "status"},
	{"info", "status"},
	{"show", "status"},
	{"check", "configtest"},
	{"test", "configtest"},
	{"reopen", "reopen-logs"},
	{"rotate", "reopen-logs"},
};

enum meaning {
	MEANS_CONFIG,
	MEANS_PID_FILE,
	MEANS_NAME,
	MEANS_RUN_DIRECTORY,
	MEANS_WAIT,
	MEANS_VERB,
	MEANS_JSON,
	MEANS_QUERY,
	MEANS_READY,
	MEANS_NOW,
	MEANS_HELP,
	MEANS_VERSION,
};

static const struct option_row {
	const char *name;
	enum meaning meaning;
	bool has_value;
	bool for_wsgid_too; /* behind start, configtest and doctor */
} options[] = {
	{"-c", MEANS_CONFIG, true, true},
	{"-f", MEANS_CONFIG, true, true}, /* Apache's */
	{"--config", MEANS_CONFIG, true, true},
	{"--pid-file", MEANS_PID_FILE, true, true},
	{"--run-directory", MEANS_RUN_DIRECTORY, true, true},
	{"-n", MEANS_NAME, true, false},
	{"--name", MEANS_NAME, true, false},
	{"--wait", MEANS_WAIT, true, false},
	{"-k", MEANS_VERB, true, false}, /* apachectl's */
	{"--json", MEANS_JSON, false, false},
	{"--query", MEANS_QUERY, false, false},
	{"--ready", MEANS_READY, false, false},
	{"--now", MEANS_NOW, false, false},
	{"-h", MEANS_HELP, false, false},
	{"--help", MEANS_HELP, false, false},
	{"-v", MEANS_VERSION, false, false},
	{"--version", MEANS_VERSION, false, false},
};

/* One walk along the command line. */
struct walk {
	struct command *command;
	const struct verb_row *verb; /* NULL until there is one */
	int argc, index;
	char **argv;
	bool only_words; /* behind "--" */
};

static const struct verb_row *
find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

void
command_list_verbs(char *to, size_t size)
{
	struct buf text = {0};
	const char *before = "";

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (!verbs[i].listed)
			continue;
		if (verbs[i].verb == VERB_VERSION)
			before = " and ";
		buf_printf(&text, "%s%s", before, verbs[i].name);
		before = ", ";
	}
	snprintf(to, size, "%s", buf_text(&text));
	buf_fini(&text);
}

/* What an unknown one may have meant, or NULL. */
static const char *
guess_verb(const char *name)
{
	struct nearest s = nearest_begin(name);

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(others[i].name, name) == 0)
			return others[i].meant;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		nearest_consider(&s, verbs[i].name);
	return s.best;
}

static int
refuse_verb(const char *name, struct err *err)
{
	const char *guess = guess_verb(name);
	char known[512];

	command_list_verbs(known, sizeof(known));
	if (guess != NULL)
		return err_setx(err, EINVAL,
			"unknown verb \"%s\"; did you mean %s? There are %s",
			name, guess, known);
	return err_setx(
		err, EINVAL, "unknown verb \"%s\"; there are %s", name, known);
}

static int
take_verb(struct walk *w, const char *name, struct err *err)
{
	const struct verb_row *row = find_verb(name);

	if (w->verb != NULL)
		return err_setx(err, EINVAL,
			"one verb at a time: there are %s and %s",
			w->verb->name, name);
	if (row == NULL)
		return refuse_verb(name, err);
	w->verb = row;
	w->command->verb = row->verb;
	return 0;
}

/* --- options ------------------------------------------------------------- */

static const struct option_row *
row_called(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strlen(options[i].name) == len &&
			strncmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

/* "-now" is no server called "ow". */
static bool
lacks_a_dash(const char *argument)
{
	char whole[32];

	snprintf(whole, sizeof(whole), "-%s", argument);
	return row_called(whole, strcspn(whole, "=")) != NULL;
}

/* The row of an option written as "--name", "--name=value", "-n", or "-nvalue"
 * where it has one. */
static const struct option_row *
find_option(const char *argument, const char **value)
{
	const struct option_row *row;
	size_t len = strcspn(argument, "=");

	*value = NULL;
	if (strncmp(argument, "--", 2) == 0) {
		if (argument[len] == '=')
			*value = argument + len + 1;
		return row_called(argument, len);
	}
	if (strlen(argument) <= 2)
		return row_called(argument, strlen(argument));
	row = row_called(argument, 2);
	if (row == NULL || !row->has_value || lacks_a_dash(argument))
		return NULL;
	*value = argument + 2;
	return row;
}

/* Seconds, with or without "s" and a fraction. */
static int
take_wait(struct command *c, const char *value, struct err *err)
{
	enum { MOST_S = 7 * 24 * 3600 };
	char *end;
	double s = strtod(value, &end);

	if (end != value && *end == 's')
		end++;
	if (end == value || *end != '\0' || !(s >= 0 && s <= MOST_S))
		return err_setx(err, EINVAL,
			"--wait %s: give seconds, from 0 (do not wait) to %d",
			value, MOST_S);
	c->wait_ms = (int64_t)(s * 1000);
	return 0;
}

static int
take_meaning(struct walk *w, const struct option_row *row, const char *value,
	struct err *err)
{
	struct command *c = w->command;

	switch (row->meaning) {
	case MEANS_CONFIG:
		c->config_file = value;
		return 0;
	case MEANS_PID_FILE:
		c->pid_file = value;
		return 0;
	case MEANS_NAME:
		if (strchr(value, '/') != NULL)
			return err_setx(err, EINVAL,
				"%s %s: a name has no \"/\"; a file is for "
				"--config or --pid-file",
				row->name, value);
		c->name = value;
		return 0;
	case MEANS_RUN_DIRECTORY:
		c->run_directory = value;
		return 0;
	case MEANS_WAIT:
		return take_wait(c, value, err);
	case MEANS_VERB:
		return take_verb(w, value, err);
	case MEANS_JSON:
		c->json = true;
		return 0;
	case MEANS_QUERY:
		c->query = true;
		return 0;
	case MEANS_READY:
		c->ready = true;
		return 0;
	case MEANS_NOW:
		c->now = true;
		return 0;
	case MEANS_HELP:
		c->verb = VERB_HELP;
		return 0;
	case MEANS_VERSION:
		c->verb = VERB_VERSION;
		return 0;
	}
	return 0;
}

static void
pass_on(struct command *c, const char *word)
{
	c->rest[c->n_rest++] = word;
}

static bool
passes_on(const struct walk *w)
{
	return w->verb != NULL && w->verb->passes_on;
}

static int
take_option(struct walk *w, const struct option_row *row, const char *value,
	struct err *err)
{
	int first = w->index;

	if (!row->has_value && value != NULL)
		return err_setx(err, EINVAL, "%s takes no value", row->name);
	if (row->has_value && value == NULL && w->index + 1 < w->argc)
		value = w->argv[++w->index];
	if (row->has_value && (value == NULL || *value == '\0'))
		return err_setx(err, EINVAL, "%s needs a value", row->name);
	/* In the same order, so that wsgid sees what was typed. */
	for (int i = first; passes_on(w) && row->for_wsgid_too && i <= w->index;
		i++)
		pass_on(w->command, w->argv[i]);
	return take_meaning(w, row, value, err);
}

static bool
takes_word(enum verb verb)
{
	return verb == VERB_LOG_LEVEL || verb == VERB_SCALE ||
	       verb == VERB_STACKS;
}

/* As what it may be meant: "now", "wait=5", or the server that all this is
 * about. */
static int
refuse_word(const struct verb_row *verb, const char *word, struct err *err)
{
	const struct option_row *row;
	const char *value = strchr(word, '=');
	char option[32];

	snprintf(option, sizeof(option), "--%s", word);
	row = row_called(option, strcspn(option, "="));
	if (row != NULL)
		return err_setx(err, EINVAL,
			"%s: \"%s\" is one word too many; did you mean %s%s%s?",
			verb->name, word, row->name,
			row->has_value && value != NULL ? " " : "",
			row->has_value && value != NULL ? value + 1 : "");
	if (takes_word(verb->verb) || find_verb(word) != NULL ||
		strchr(word, ':') != NULL)
		return err_setx(err, EINVAL, "%s: \"%s\" is one word too many",
			verb->name, word);
	return err_setx(err, EINVAL,
		"%s: \"%s\" is one word too many; \"%s %s\" means the server "
		"of that %s",
		verb->name, word, strchr(word, '/') != NULL ? "-c" : "-n", word,
		strchr(word, '/') != NULL ? "configuration" : "name");
}

static int
take_word(struct walk *w, const char *word, struct err *err)
{
	struct command *c = w->command;

	if (w->verb == NULL)
		return take_verb(w, word, err);
	if (w->verb->verb == VERB_LOG_LEVEL && c->log_level == NULL) {
		if (log_level_of(word) < 0)
			return err_setx(err, EINVAL,
				"log-level %s: a level is one of error, warn, "
				"notice, info and debug",
				word);
		c->log_level = word;
		return 0;
	}
	if (w->verb->verb == VERB_SCALE && c->processes == NULL) {
		if (strspn(word, "0123456789") != strlen(word))
			return err_setx(err, EINVAL,
				"scale %s: a number of processes is expected, "
				"as in \"scale 4\"",
				word);
		c->processes = word;
		return 0;
	}
	if (w->verb->verb == VERB_STACKS && c->child == NULL) {
		if (strspn(word, "0123456789") != strlen(word))
			return err_setx(err, EINVAL,
				"stacks %s: the pid of a child is expected; "
				"fullstatus has them",
				word);
		c->child = word;
		return 0;
	}
	return refuse_word(w->verb, word, err);
}

/* One that is below nought: no option begins with a digit. */
static bool
is_number_of_scale(const struct walk *w, const char *argument)
{
	return w->verb != NULL && w->verb->verb == VERB_SCALE &&
	       argument[1] >= '0' && argument[1] <= '9';
}

static int
take_argument(struct walk *w, struct err *err)
{
	const char *argument = w->argv[w->index], *value;
	const struct option_row *row = NULL;

	if (!w->only_words && strcmp(argument, "--") == 0) {
		w->only_words = true;
		if (passes_on(w))
			pass_on(w->command, argument);
		return 0;
	}
	if (!w->only_words && argument[0] == '-')
		row = find_option(argument, &value);
	if (row != NULL)
		return take_option(w, row, value, err);
	if (passes_on(w)) {
		pass_on(w->command, argument);
		return 0;
	}
	if (!w->only_words && argument[0] == '-' && argument[1] != '\0' &&
		!is_number_of_scale(w, argument))
		return err_setx(err, EINVAL,
			"unknown option %s; \"wsgictl --help\" shows them, and "
			"those of wsgid go behind start, configtest or "
			"doctor",
			argument);
	return take_word(w, argument, err);
}

/* What was said before the verb and concerns wsgid too; behind it, it has
 * been passed on already. */
static bool
was_passed_on(const struct command *c, const char *value)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < c->n_rest; i++) {
		const char *word = c->rest[i];
		size_t word_len = strlen(word);

		if (word_len >= len && word + word_len - len == value)
			return true;
	}
	return false;
}

static void
add_earlier(struct command *c, const char *option, const char *value)
{
	if (value == NULL || was_passed_on(c, value))
		return;
	memmove(c->rest + 2, c->rest, c->n_rest * sizeof(*c->rest));
	c->rest[0] = option;
	c->rest[1] = value;
	c->n_rest += 2;
}

static int
check(const struct command *c, struct err *err)
{
	bool shows = c->verb == VERB_STATUS || c->verb == VERB_FULLSTATUS;

	if (c->verb == VERB_HELP || c->verb == VERB_VERSION)
		return 0;
	if (c->verb == VERB_SCALE && c->processes == NULL)
		return err_setx(err, EINVAL,
			"scale needs a number of processes, as in \"scale "
			"4\"");
	if (c->json && !shows && c->verb != VERB_DOCTOR)
		return err_setx(err, EINVAL,
			"--json is for status, fullstatus and doctor");
	if (c->query && c->verb != VERB_FULLSTATUS)
		return err_setx(err, EINVAL, "--query is for fullstatus");
	if (c->ready && !shows)
		return err_setx(
			err, EINVAL, "--ready is for status and fullstatus");
	if (c->now && c->verb != VERB_STOP)
		return err_setx(err, EINVAL, "--now is for stop");
	return 0;
}

int
command_parse(struct command *ret, int argc, char **argv, struct err *err)
{
	struct walk w = {.command = ret, .argc = argc, .argv = argv};

	*ret = (struct command){.wait_ms = -1};
	/* Each word once, and an option with its value for each of three. */
	ret->rest = calloc((size_t)argc + 7, sizeof(*ret->rest));
	if (ret->rest == NULL)
		return err_set(err, ENOMEM, "command line");
	for (w.index = 1; w.index < argc; w.index++) {
		int rc = take_argument(&w, err);

		if (rc < 0)
			return rc;
	}
	/* restart starts what does not run. */
	if (passes_on(&w) || ret->verb == VERB_RESTART) {
		add_earlier(ret, "--pid-file", ret->pid_file);
		add_earlier(ret, "--run-directory", ret->run_directory);
		add_earlier(ret, "--config", ret->config_file);
	}
	return check(ret, err);
}

void
command_fini(struct command *c)
{
	free(c->rest);
	c->rest = NULL;
	c->n_rest = 0;
}
