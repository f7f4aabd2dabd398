/*
 * paths.c - can the files be made that a configuration names?
 *
 * Only what is plainly wrong is a mistake: a directory that is not there and
 * that the server does not make, or a directory where a file shall be.  Who
 * asks may be another user than the server will be, so rights are none of it.
 */
#include "master/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/rundir.h"
#include "config/config.h"
#include "master/logs.h"

static void
find_parent(const char *path, char to[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		strcpy(to, ".");
	else
		snprintf(to, PATH_MAX, "%.*s",
			slash == path ? 1 : (int)(slash - path), path);
}

/* The run directory is made before anything else is opened. */
static bool
will_be_made(const struct config *c, const char *directory)
{
	bool will = false;

	if (c->run_directory != NULL)
		return strcmp(directory, c->run_directory) == 0;
	for (int place = 0; place < RUNDIR_PLACES && !will; place++) {
		AUTO_FREE char *path = rundir_place((enum rundir_place)place);

		will = path != NULL && strcmp(directory, path) == 0;
	}
	return will;
}

static bool
is_missing(const char *directory)
{
	struct stat st;

	if (stat(directory, &st) == 0)
		return !S_ISDIR(st.st_mode);
	return errno == ENOENT || errno == ENOTDIR;
}

int
paths_check_parent(const struct config *c, const char *path, struct err *err)
{
	char parent[PATH_MAX];

	find_parent(path, parent);
	if (!is_missing(parent) || will_be_made(c, parent))
		return 0;
	return err_setx(err, ENOENT,
		"%s: there is no directory %s: create it first", path, parent);
}

static int
check_file(const struct config *c, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_setx(err, EISDIR,
			"%s is a directory: name a file in it", path);
	return paths_check_parent(c, path, err);
}

static int
check_directory(const struct config *c, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return paths_check_parent(c, path, err);
	return S_ISDIR(st.st_mode)
		       ? 0
		       : err_setx(err, ENOTDIR, "%s is no directory", path);
}

static bool
is_file(const char *target)
{
	return target != NULL && strcmp(target, "-") != 0;
}

static void
check_logs(struct config *c)
{
	struct err err = {0};

	if (is_file(c->error_log) && !logs_is_journald(c) &&
		check_file(c, c->error_log, &err) < 0)
		config_blame(c, "ErrorLog", err.text);
	for (size_t i = 0; i < c->n_access_logs; i++)
		if (is_file(c->access_logs[i].target) &&
			check_file(c, c->access_logs[i].target, &err) < 0)
			config_blame_at(c, config_where_access_log(c, i),
				"CustomLog", err.text);
}

void
paths_check(struct config *c, const struct config *running)
{
	struct err err = {0};

	check_logs(c);
	/* These do not change while the server lives. */
	if (running != NULL)
		return;
	if (c->run_directory != NULL &&
		check_directory(c, c->run_directory, &err) < 0)
		config_blame(c, "RunDirectory", err.text);
	if (c->pid_file != NULL && check_file(c, c->pid_file, &err) < 0)
		config_blame(c, "PidFile", err.text);
	if (c->score_board_file != NULL &&
		check_file(c, c->score_board_file, &err) < 0)
		config_blame(c, "ScoreBoardFile", err.text);
}
