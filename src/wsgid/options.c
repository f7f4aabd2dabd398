/*
 * options.c - the command line of wsgid.
 *
 * Most options are directives in another spelling, and the configuration
 * library knows them; here are only those that say what to do.  The line is
 * walked twice by the same function: once to find out what is wanted, then,
 * at the start and at every reload, to put the directives into a
 * configuration.
 */
#include "wsgid/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/workdir.h"
#include "built_with.h"
#include "config/config.h"
#include "config/nearest.h"

enum meaning {
	MEANS_ACTION,
	MEANS_CONFIG,
	MEANS_DEFINE,
	MEANS_DAEMON,
	MEANS_FOREGROUND,
};

static const struct option_row {
	const char *name;
	enum meaning meaning;
	enum action action; /* for MEANS_ACTION */
} rows[] = {
	{"-c", MEANS_CONFIG, 0},
	{"-f", MEANS_CONFIG, 0}, /* Apache's */
	{"--config", MEANS_CONFIG, 0},
	{"-D", MEANS_DEFINE, 0},
	{"--define", MEANS_DEFINE, 0},
	{"--daemon", MEANS_DAEMON, 0},
	{"--foreground", MEANS_FOREGROUND, 0},
	{"-t", MEANS_ACTION, ACTION_TEST},
	{"--test", MEANS_ACTION, ACTION_TEST},
	{"--check", MEANS_ACTION, ACTION_CHECK},
	{"--doctor", MEANS_ACTION, ACTION_DOCTOR},
	{"-L", MEANS_ACTION, ACTION_LIST},
	{"--list", MEANS_ACTION, ACTION_LIST},
	{"-V", MEANS_ACTION, ACTION_FACTS},
	{"-v", MEANS_ACTION, ACTION_VERSION},
	{"--version", MEANS_ACTION, ACTION_VERSION},
	{"-h", MEANS_ACTION, ACTION_HELP},
	{"--help", MEANS_ACTION, ACTION_HELP},
};

/* One walk along the command line. */
struct walk {
	struct options *options;
	struct config *config; /* gets the directives */
	bool lost; /* an option is unknown: is the next word its value? */
	int index;
};

static const struct option_row *
row_called(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == len &&
			strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

/* The row of an option written as "--name", "--name=value", "-n", or
 * "-nvalue" where it has one. */
static const struct option_row *
find_row(const char *argument, const char **value)
{
	const struct option_row *row;
	size_t len = strcspn(argument, "=");

	*value = NULL;
	if (strncmp(argument, "--", 2) == 0) {
		if (argument[len] == '=')
			*value = argument + len + 1;
		return row_called(argument, len);
	}
	row = row_called(argument, 2);
	if (argument[2] == '\0' || row == NULL)
		return row;
	*value = argument + 2;
	return row->meaning == MEANS_CONFIG || row->meaning == MEANS_DEFINE
		       ? row
		       : NULL;
}

static int
take_value(struct walk *w, const char **value, struct err *err)
{
	const struct options *o = w->options;
	const char *option = o->argv[w->index];

	if (*value == NULL && w->index + 1 < o->argc) {
		*value = o->argv[++w->index];
		if ((*value)[0] == '-' && (*value)[1] != '\0')
			return err_setx(err, EINVAL,
				"%s needs a value; what follows is the next "
				"option, %s",
				option, *value);
	}
	if (*value != NULL && **value != '\0')
		return 0;
	return err_setx(err, EINVAL, "%s needs a value", option);
}

static int
take_own(struct walk *w, const struct option_row *row, const char *value,
	struct err *err)
{
	struct options *o = w->options;

	switch (row->meaning) {
	case MEANS_CONFIG:
		if (take_value(w, &value, err) < 0)
			return -EINVAL;
		o->config_file = value;
		return 0;
	case MEANS_DEFINE:
		if (take_value(w, &value, err) < 0)
			return -EINVAL;
		/* What is wrong with it is among the messages of config. */
		return config_define(w->config, value);
	case MEANS_DAEMON:
	case MEANS_FOREGROUND:
		o->daemon = row->meaning == MEANS_DAEMON;
		break;
	case MEANS_ACTION:
		o->action = row->action;
		break;
	}
	if (value != NULL)
		return err_setx(err, EINVAL, "%s takes no value", row->name);
	return 0;
}

/* As behind --keep-alive, which gunicorn's has seconds. */
static int
refuse_number(const struct walk *w, const char *text, struct err *err)
{
	const char *before = w->index > 1 ? w->options->argv[w->index - 1] : "";

	if (before[0] == '-' && before[1] != '\0')
		return err_setx(err, EINVAL,
			"%s is no application, and %s takes no value that "
			"stands behind it; \"wsgid -L\" has the options",
			text, before);
	return err_setx(err, EINVAL, "%s is no application", text);
}

/* It may be because one of them is a verb: an application can be called so, but
 * there are not two. */
static int
refuse_second(const char *first, const char *second, struct err *err)
{
	const char *verb = first, *advice = config_foreign_verb(first);

	if (advice == NULL) {
		verb = second;
		advice = config_foreign_verb(second);
	}
	if (advice != NULL)
		return err_setx(err, EINVAL,
			"there are two words, %s and %s, and %s is no verb of "
			"wsgid's: %s",
			first, second, verb, advice);
	return err_setx(err, EINVAL,
		"only one application can be served, and there are two words: "
		"%s and %s",
		first, second);
}

static int
take_application(struct walk *w, const char *text, struct err *err)
{
	struct options *o = w->options;

	if (w->lost)
		return 0;
	if (*text == '\0')
		return err_setx(
			err, EINVAL, "the application is an empty word");
	if (text[strspn(text, "0123456789")] == '\0')
		return refuse_number(w, text, err);
	if (o->application != NULL && o->application != text)
		return refuse_second(o->application, text, err);
	o->application = text;
	return 0;
}

/* The option that a mistyped one may have meant, or NULL. */
static const char *
nearest_option(const char *argument)
{
	size_t len = strcspn(argument, "=");
	struct nearest s;
	char name[64];

	if (strncmp(argument, "--", 2) != 0 || len >= sizeof(name))
		return NULL;
	memcpy(name, argument, len);
	name[len] = '\0';
	s = nearest_begin(name);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].name[1] == '-')
			nearest_consider(&s, rows[i].name);
	nearest_consider(&s, config_nearest_option(name));
	return s.best;
}

static int
unknown(const char *argument, const char *next, struct err *err)
{
	const char *advice = config_foreign_option(argument, next);
	const char *near = nearest_option(argument);

	if (advice != NULL)
		return err_setx(err, EINVAL,
			"unknown option %s: %s; \"wsgid -L\" has the options",
			argument, advice);
	if (near != NULL)
		return err_setx(err, EINVAL,
			"unknown option %s; did you mean %s?", argument, near);
	return err_setx(err, EINVAL,
		"unknown option %s; \"wsgid --help\" shows the usual ones, "
		"\"wsgid -L\" all",
		argument);
}

static int
take_argument(struct walk *w, struct err *err)
{
	struct options *o = w->options;
	const char *argument = o->argv[w->index], *value;
	const struct option_row *row;
	int rc;

	if (argument[0] != '-' || argument[1] == '\0')
		return take_application(w, argument, err);
	row = find_row(argument, &value);
	if (row != NULL)
		return take_own(w, row, value, err);
	rc = w->index;
	if (config_read_option(w->config, o->argc, o->argv, &w->index) == 1) {
		w->index--; /* the walk itself goes on by one */
		return 0;
	}
	w->index = rc;
	w->lost = true;
	return unknown(argument, o->argv[w->index + 1], err);
}

/* The first is the reason, all are to be read. */
static void
keep_mistake(struct walk *w, const char *sentence, struct err *err)
{
	if (*sentence == '\0')
		return;
	if (w->options->mistakes.len == 0)
		err_setx(err, EINVAL, "%s", sentence);
	buf_printf(&w->options->mistakes, "%s\n", sentence);
}

/* To the end, so that all mistakes are found. */
static int
walk(struct walk *w, struct err *err)
{
	struct options *o = w->options;
	bool only_words = false;
	int ret = 0;

	for (w->index = 1; w->index < o->argc; w->index++) {
		const char *argument = o->argv[w->index];
		struct err mistake = {0};
		int rc;

		if (!only_words && strcmp(argument, "--") == 0) {
			only_words = true;
			continue;
		}
		rc = only_words ? take_application(w, argument, &mistake)
				: take_argument(w, &mistake);
		if (rc < 0) {
			keep_mistake(w, mistake.text, err);
			ret = rc;
		}
	}
	return ret;
}

/* What is wrong with the values of those options that are known. */
static void
add_config_mistakes(struct walk *w, struct err *err)
{
	const struct config_message *m;

	for (size_t i = 0; (m = config_message(w->config, i)) != NULL; i++)
		if (m->fatal)
			keep_mistake(w, m->text, err);
}

static char **
copy_words(int n, char *const *words)
{
	char **copy = calloc((size_t)n + 1, sizeof(*copy));

	for (int i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(words[i]);
		if (copy[i] != NULL)
			continue;
		while (i > 0)
			free(copy[--i]);
		free(copy);
		return NULL;
	}
	return copy;
}

int
options_parse(struct options *ret, int argc, char **argv, struct err *err)
{
	struct walk w = {.options = ret};
	int rc;

	*ret = (struct options){.argc = argc};
	ret->argv = copy_words(argc, argv);
	w.config = config_create();
	if (ret->argv == NULL || w.config == NULL)
		rc = err_set(err, ENOMEM, "command line");
	else
		rc = walk(&w, err);
	if (rc < 0 && w.config != NULL)
		add_config_mistakes(&w, err);
	config_destroy(w.config);
	return rc;
}

void
options_fini(struct options *o)
{
	for (int i = 0; o->argv != NULL && i < o->argc; i++)
		free(o->argv[i]);
	free(o->argv);
	o->argv = NULL;
	buf_fini(&o->mistakes);
}

/* Of a directory that is there where we were started by a name. */
static const char *
put_behind(const char *directory, const char *file, char to[PATH_MAX])
{
	if (file[0] == '/' || workdir_name() == NULL || directory == NULL)
		return file;
	return snprintf(to, PATH_MAX, "%s/%s", directory, file) < PATH_MAX
		       ? to
		       : file;
}

/* The file that was named, or the default one where nothing else was. */
static const char *
choose_file(const struct options *o, const char *here, char memory[PATH_MAX])
{
	if (o->config_file != NULL)
		return put_behind(here, o->config_file, memory);
	if (o->application != NULL || access(DEFAULT_CONFIG, F_OK) < 0)
		return NULL;
	return DEFAULT_CONFIG;
}

struct config *
options_read_config(const struct options *o, struct err *err)
{
	struct options scratch = *o;
	struct config *c = config_create();
	struct walk w = {.options = &scratch, .config = c};
	AUTO_FREE char *here = workdir_now();
	char memory[PATH_MAX];
	const char *file = choose_file(o, here, memory);
	int rc;

	if (c == NULL) {
		err_set(err, ENOMEM, "configuration");
		return NULL;
	}
	/* Defines hold for the file, so they come first; the walk's other
	 * effects land in the configuration too, once: the strongest source
	 * may come in any order. */
	rc = walk(&w, err);
	if (rc < 0) {
		config_destroy(c);
		return NULL;
	}
	if (file != NULL)
		(void)config_read_file(c, file); /* a message tells */
	/* Read where the link leads now, and known by the link, which may lead
	 * elsewhere by the next time. */
	if (c->file != NULL && o->config_file != NULL)
		config_call_file(
			c, put_behind(workdir_name(), o->config_file, memory));
	config_read_environment(c, environ);
	if (o->application != NULL)
		config_set(
			c, "WSGIApplication", o->application, "command line");
	if (c->directory == NULL && workdir_name() != NULL && here != NULL)
		config_set(c, "ChDir", here, "PWD");
	return c;
}

bool
options_has_application(const struct config *c, struct err *err)
{
	if (c->application != NULL)
		return true;
	if (c->file != NULL) {
		err_setx(err, EINVAL,
			"nothing to serve: %s has no WSGIApplication; write "
			"one, or name an application on the command line",
			c->file);
		return false;
	}
	err_setx(err, EINVAL,
		"nothing to serve: name an application, as in \"wsgid "
		"package.module:app\" or \"wsgid /srv/site/app.wsgi\", or a "
		"configuration with -c FILE (there is no %s)",
		DEFAULT_CONFIG);
	return false;
}
