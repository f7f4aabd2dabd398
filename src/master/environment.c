/*
 * environment.c - the environment that the children of a generation have.
 *
 * It is the master's own, without what was meant for the master alone.  Where
 * they run as another user HOME is that one's, and so are the names: who looks
 * for his files in root's home is refused them, and would find another user's
 * Python packages.  su, sudo and systemd do that too, and so does mod_wsgi, which
 * likewise makes no name that was not there.  What EnvironmentFile says is
 * stronger than both.
 */
#include "master/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "config/envfile.h"
#include "master/generation.h"

static bool
is_ours(const char *variable)
{
	static const char *const prefixes[] = {
		"LISTEN_", /* socket activation */
		"NOTIFY_SOCKET=", "WATCHDOG_", "FDSTORE=",
		"WSGID_", /* configuration: a child reads its memfd */
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool
is_in(char *const *entries, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; entries != NULL && entries[i] != NULL; i++)
		if (strncmp(entries[i], variable, len) == 0)
			return true;
	return false;
}

static size_t
count(char *const *entries)
{
	size_t n = 0;

	while (entries != NULL && entries[n] != NULL)
		n++;
	return n;
}

/* --- who they are -------------------------------------------------------------- */

static int
add_identity(struct generation *g, const char *name, const char *value)
{
	char *entry;

	if (asprintf(&entry, "%s=%s", name, value) < 0)
		return -ENOMEM;
	g->identity[count(g->identity)] = entry;
	return 0;
}

/* Of a number that has no name nothing better is known. */
static int
make_identity(struct generation *g, struct err *err)
{
	static const char *const names[] = {"USER", "USERNAME", "LOGNAME"};
	AUTO_FREE char *home = NULL;
	struct account account;
	int rc;

	if (g->config->user == NULL || geteuid() != 0)
		return 0;
	rc = account_find_user(g->config->user, &account, err);
	if (rc < 0)
		return rc;
	g->of_another = account.uid != geteuid();
	if (!g->of_another || !account.listed)
		return 0;
	rc = account_find_home(account.uid, &home);
	if (rc == 0)
		rc = add_identity(g, "HOME", home);
	else if (rc == -ENOENT)
		rc = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++)
		if (getenv(names[i]) != NULL)
			rc = add_identity(g, names[i], account.name);
	return rc < 0 ? err_set(err, -rc, "environment of user %s", account.name)
		      : 0;
}

static int
add_secret(struct generation *g, struct err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", log_secret());
	return add_identity(g, LOG_SECRET, text) < 0
		       ? err_set(err, ENOMEM, "environment of the children")
		       : 0;
}

/* --- all of it ------------------------------------------------------------------- */

/* Of a name that the file has twice the last. */
int
environment_make(struct generation *g, struct err *err)
{
	const char *file = g->config->environment_file;
	size_t n = 0;

	if (file != NULL && envfile_read(&g->entries, file, err) < 0)
		return -err->code;
	if (make_identity(g, err) < 0 || add_secret(g, err) < 0)
		return -err->code;
	g->environment = calloc(count(environ) + count(g->identity) +
					count(g->entries) + 1,
		sizeof(char *));
	if (g->environment == NULL)
		return err_set(err, ENOMEM, "environment of the children");
	for (size_t i = 0; environ[i] != NULL; i++)
		if (!is_ours(environ[i]) && !is_in(g->identity, environ[i]) &&
			!is_in(g->entries, environ[i]))
			g->environment[n++] = environ[i];
	for (size_t i = 0; g->identity[i] != NULL; i++)
		if (!is_in(g->entries, g->identity[i]))
			g->environment[n++] = g->identity[i];
	for (size_t i = 0; i < count(g->entries); i++)
		if (!is_in(g->entries + i + 1, g->entries[i]))
			g->environment[n++] = g->entries[i];
	return 0;
}

void
environment_free(struct generation *g)
{
	free(g->environment);
	free(g->entries);
	for (size_t i = 0; g->identity[i] != NULL; i++)
		free(g->identity[i]);
}
