/*
 * rundir.c - where the server leaves its pid, its control socket and its
 * scoreboard.
 *
 * The lock on NAME.pid decides who owns NAME in that directory: whoever holds
 * it may replace what a killed server has left behind, and nobody else
 * touches it.  A PidFile elsewhere comes on top and takes nothing of that
 * away: two servers of one name would take each other's socket.
 */
#include "master/rundir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pidfile.h"
#include "base/rundir.h"
#include "config/config.h"
#include "master/door.h"
#include "master/heir.h"
#include "master/heritage.h"
#include "master/state.h"
#include "scoreboard/scoreboard.h"

/* What is in it says itself who may do what, so that ControlGroup reaches its
 * socket whatever the umask. */
static int
make(const char *path)
{
	mode_t umask_before = umask(0022);
	int rc = mkdir(path, 0755) < 0 ? -errno : 0;

	umask(umask_before);
	return rc == -EEXIST ? 0 : rc;
}

/* Make the directory where it is missing; its parents must exist. */
static int
prepare(const char *path, struct err *err)
{
	struct stat st;
	int rc = make(path);

	if (rc < 0)
		return err_set(err, -rc, "RunDirectory %s", path);
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

/* What another master has left to us is its own until we take its place. */
static int
acquire(struct master *m, struct pid_file *f, char *path, const char *choice,
	struct err *err)
{
	if (path == NULL)
		return err_set(err, ENOMEM, "pid file");
	f->path = path;
	f->fd = heir_take_pid_file(m, path);
	f->foreign = f->fd >= 0 && heir_waits(m);
	if (f->fd < 0)
		f->fd = pidfile_acquire(path, choice, err);
	return f->fd < 0 ? f->fd : 0;
}

static void
release(struct pid_file *f)
{
	if (f->fd >= 0 && !f->foreign)
		pidfile_remove(f->path, f->fd);
	fd_close(&f->fd);
	free(f->path);
	f->path = NULL;
}

/* PATH is its DIRECTORY/NAME.pid. */
static void
remove_beside(const char *path, const char *what)
{
	int len = (int)(strlen(path) - strlen(".pid"));
	AUTO_FREE char *other = NULL;

	if (asprintf(&other, "%.*s%s", len, path, what) < 0) {
		other = NULL;
		return;
	}
	if (strcmp(what, ".scoreboard") == 0)
		scoreboard_remove(other);
	else
		(void)unlink(other);
}

void
rundir_remove_left(const struct heritage *h)
{
	const struct heritage_file *own = &h->own, *named = &h->named;

	/* The path may lead to another directory by now, to ours even. */
	if (own->fd >= 0 && file_is_at(own->path, own->fd)) {
		remove_beside(own->path, ".ctl");
		remove_beside(own->path, ".scoreboard");
		pidfile_remove(own->path, own->fd);
	}
	if (named->fd >= 0)
		pidfile_remove(named->path, named->fd);
}

static char *
own_path(const struct master *m)
{
	char *path;

	return asprintf(&path, "%s/%s.pid", m->run.path, m->name) < 0 ? NULL
								      : path;
}

/* Is it the file that we have locked already? */
static bool
is_own(const struct run_directory *run, const char *path)
{
	return run->own.fd >= 0 && file_is_at(path, run->own.fd);
}

/* As the scoreboard beside it: for the owner and for who may ask the master.
 * What PidFile names is for everybody, as other servers' are. */
static int
restrict_own(
	const struct pid_file *own, const struct config *c, struct err *err)
{
	gid_t group = door_group(c);

	if (own->foreign)
		return 0;
	if (fchmod(own->fd, 0640) < 0)
		return err_set(err, errno, "mode of pid file %s", own->path);
	/* Where the group is not to be had the control socket's opening says so. */
	if (group != 0 && fchown(own->fd, (uid_t)-1, group) < 0 &&
		errno != EPERM)
		return err_set(err, errno, "group of pid file %s", own->path);
	return 0;
}

static int
acquire_named(struct master *m, const struct config *c, struct err *err)
{
	int rc = acquire(m, &m->run.named, strdup(c->pid_file), "PidFile", err);

	if (rc < 0)
		err_at(err, config_where(c, "PidFile"));
	return rc;
}

static int
lock(struct master *m, const struct config *c, struct err *err)
{
	struct run_directory *run = &m->run;
	int rc = 0;

	if (run->path != NULL)
		rc = acquire(m, &run->own, own_path(m), "RunDirectory", err);
	if (rc == 0 && run->path != NULL)
		rc = restrict_own(&run->own, c, err);
	if (rc == 0 && c->pid_file != NULL && !is_own(run, c->pid_file))
		rc = acquire_named(m, c, err);
	return rc;
}

static int
write_pid(const struct pid_file *f, struct err *err)
{
	int rc = f->fd >= 0 && !f->foreign ? pidfile_write(f->fd) : 0;

	return rc < 0 ? err_set(err, -rc, "pid file %s", f->path) : 0;
}

int
rundir_open(struct master *m, const struct config *c, struct err *err)
{
	int rc;

	if (c->run_directory != NULL) {
		rc = prepare(c->run_directory, err);
		if (rc < 0) {
			err_at(err, config_where(c, "RunDirectory"));
			return rc;
		}
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
	rc = write_pid(&m->run.own, err);
	return rc < 0 ? rc : write_pid(&m->run.named, err);
}

void
rundir_close(struct master *m)
{
	release(&m->run.named);
	release(&m->run.own);
	free(m->run.path);
	m->run.path = NULL;
}
