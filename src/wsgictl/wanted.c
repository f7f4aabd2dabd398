/*
 * wanted.c - which server a command line of wsgid would start.
 *
 * To say "it runs already" before anything is started, wsgictl reads the
 * line as wsgid does, for its name and run directory alone.  What it does
 * not understand it leaves to wsgid.
 */
#include "wsgictl/wanted.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "built_with.h"
#include "config/config.h"

struct line {
	struct config *config;
	char *const *words;
	int n, at;
	const char *file;
	const char *application;
};

/* "--name VALUE", "--name=VALUE", "-n VALUE" or "-nVALUE". */
static bool
takes(struct line *l, const char *name, const char **value)
{
	const char *word = l->words[l->at];
	size_t len = strlen(name);

	*value = NULL;
	if (strncmp(word, name, len) != 0)
		return false;
	if (len > 2 && word[len] == '=')
		*value = word + len + 1;
	else if (len == 2 && word[len] != '\0')
		*value = word + len;
	else if (word[len] != '\0')
		return false;
	else if (l->at + 1 < l->n)
		*value = l->words[++l->at];
	return true;
}

static void
take(struct line *l)
{
	static const char *const files[] = {"-c", "-f", "--config"};
	static const char *const defines[] = {"-D", "--define"};
	const char *word = l->words[l->at], *value;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (takes(l, files[i], &value)) {
			l->file = value;
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(defines); i++) {
		if (takes(l, defines[i], &value)) {
			if (value != NULL)
				(void)config_define(l->config, value);
			return;
		}
	}
	if (config_read_option(l->config, l->n, l->words, &l->at) == 1)
		l->at--; /* the walk goes on by one */
	else if (word[0] != '-')
		l->application = word;
}

struct config *
wanted_config(const char *const *words, size_t n, struct err *err)
{
	struct config_machine machine = {.cpus = 1};
	struct line l = {
		.config = config_create(),
		.words = (char *const *)words,
		.n = (int)n,
	};

	if (l.config == NULL) {
		err_set(err, ENOMEM, "configuration");
		return NULL;
	}
	for (l.at = 0; l.at < l.n; l.at++)
		take(&l);
	if (l.file == NULL && l.application == NULL &&
		access(DEFAULT_CONFIG, R_OK) == 0)
		l.file = DEFAULT_CONFIG;
	if (l.file != NULL)
		(void)config_read_file(l.config, l.file);
	config_read_environment(l.config, environ);
	(void)config_settle(l.config, &machine);
	return l.config;
}
