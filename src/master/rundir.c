/*
 * rundir.c - where the server leaves its pid, its control socket and its
 * scoreboard.
 *
 * The lock on the pid file decides who owns NAME in that directory: whoever
 * holds it may replace what a killed server has left behind, and nobody
 * else touches it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pidfile.h"
#include "base/rundir.h"
#include "master/state.h"

/* Make the directory where it is missing; its parents must exist. */
static int
prepare(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(err, errno, "RunDirectory %s", path);
	if (stat(path, &st) < 0)
		return err_set(err, errno, "RunDirectory %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "RunDirectory %s", path);
	if (access(path, W_OK | X_OK) < 0)
		return err_set(err, errno, "RunDirectory %s", path);
	return 0;
}

/* The first of the places that nobody asked for and that will do.  Root has
 * one of its own, and so has everybody else. */
static char *
search(void)
{
	enum rundir_place not_ours =
		geteuid() == 0 ? RUNDIR_USER : RUNDIR_SYSTEM;

	for (int place = 0; place < RUNDIR_PLACES; place++) {
		char *path;

		if (place == (int)not_ours)
			continue;
		path = rundir_place((enum rundir_place)place);
		if (path != NULL && prepare(path, NULL) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static int
lock(struct master *m, const struct config *c, struct err *err)
{
	struct run_directory *run = &m->run;

	if (c->pid_file != NULL)
		run->pid_path = strdup(c->pid_file);
	else if (run->path == NULL)
		return 0;
	else if (asprintf(&run->pid_path, "%s/%s.pid", run->path, m->name) < 0)
		run->pid_path = NULL;
	if (run->pid_path == NULL)
		return err_set(err, ENOMEM, "pid file");
	run->pid_fd = pidfile_acquire(run->pid_path, err);
	return run->pid_fd < 0 ? run->pid_fd : 0;
}

int
rundir_open(struct master *m, const struct config *c, struct err *err)
{
	int rc;

	m->run.pid_fd = -1;
	if (c->run_directory != NULL) {
		rc = prepare(c->run_directory, err);
		if (rc < 0)
			return rc;
		m->run.path = strdup(c->run_directory);
		if (m->run.path == NULL)
			return err_set(err, ENOMEM, "RunDirectory");
	} else {
		m->run.path = search();
	}
	if (m->run.path == NULL)
		log_notice("master",
			"no directory for the control socket and the "
			"scoreboard file: name one with RunDirectory");
	rc = lock(m, c, err);
	if (rc < 0)
		return rc;
	if (m->run.pid_fd < 0)
		return 0;
	rc = pidfile_write(m->run.pid_fd);
	return rc < 0 ? err_set(err, -rc, "pid file %s", m->run.pid_path) : 0;
}

void
rundir_close(struct master *m)
{
	if (m->run.pid_fd >= 0)
		pidfile_remove(m->run.pid_path, m->run.pid_fd);
	fd_close(&m->run.pid_fd);
	free(m->run.pid_path);
	free(m->run.path);
	m->run = (struct run_directory){.pid_fd = -1};
}
