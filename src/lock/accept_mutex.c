/*
 * accept_mutex.c - the door to the mechanisms.
 *
 * A mechanism counts as present when it has been seen to work: containers
 * refuse System V calls, emulators know no robust futexes, and no build can
 * know where its programs will run.
 */
#include "lock/accept_mutex.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "lock/accept_mutex_priv.h"

/* In the order in which they are shown. */
static const struct accept_mutex_mechanism *const mechanisms[] = {
	&accept_mutex_none,
	&accept_mutex_pthread,
	&accept_mutex_fcntl,
	&accept_mutex_flock,
	&accept_mutex_sysvsem,
	&accept_mutex_posixsem,
};

static const struct accept_mutex_mechanism *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (strcasecmp(mechanisms[i]->name, name) == 0)
			return mechanisms[i];
	return NULL;
}

static struct accept_mutex *
make(const struct accept_mutex_mechanism *how)
{
	struct accept_mutex *m = calloc(1, how->size);

	if (m != NULL) {
		m->how = how;
		m->fd = -1;
		m->home = getpid();
	}
	return m;
}

/* Nobody else has a new mutex, so this cannot wait. */
static int
prove(struct accept_mutex *m, struct err *err)
{
	int rc;

	do
		rc = m->how->lock(m);
	while (rc == -EINTR);
	if (rc == 0)
		rc = m->how->unlock(m);
	if (rc < 0)
		return accept_mutex_explain(m, rc, err);
	return m->how->prove != NULL ? m->how->prove(m, err) : 0;
}

static int
create(struct accept_mutex **ret, const struct accept_mutex_mechanism *how,
	const struct accept_mutex_settings *settings, struct err *err)
{
	struct accept_mutex *m = make(how);
	int rc;

	if (m == NULL)
		return err_set(err, ENOMEM, "Mutex %s", how->name);
	rc = how->create(m, settings, err);
	if (rc < 0) {
		free(m);
		return rc;
	}
	m->created = true;
	rc = prove(m, err);
	if (rc < 0) {
		accept_mutex_destroy(m);
		return rc;
	}
	*ret = m;
	return 0;
}

static int
try_out(const struct accept_mutex_mechanism *how, struct err *err)
{
	const struct accept_mutex_settings plain = {
		.mechanism = how->name,
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	struct accept_mutex *m;
	int rc = create(&m, how, &plain, err);

	if (rc == 0)
		accept_mutex_destroy(m);
	return rc;
}

static int
refuse_word(const char *word, struct err *err)
{
	char list[256] = "";
	const char *name;
	size_t len = 0;

	for (size_t i = 0; (name = accept_mutex_name(i)) != NULL; i++) {
		int n = snprintf(list + len, sizeof(list) - len, ", %s", name);

		assert(n > 0 && (size_t)n < sizeof(list) - len);
		len += (size_t)n;
	}
	return err_setx(err, EINVAL,
		"Mutex %s: there is no such mechanism; there are: default%s",
		word, list);
}

int
accept_mutex_create(struct accept_mutex **ret,
	const struct accept_mutex_settings *settings, struct err *err)
{
	const struct accept_mutex_mechanism *how = find(settings->mechanism);

	if (how == NULL)
		return refuse_word(settings->mechanism, err);
	if (settings->file != NULL && !how->takes_file)
		return err_setx(err, EINVAL,
			"Mutex %s %s: only fcntl and flock lock a file; leave "
			"it out",
			how->name, settings->file);
	if (settings->file != NULL && settings->file[0] != '/')
		return err_setx(err, EINVAL,
			"Mutex %s:%s: the file must be an absolute path",
			how->name, settings->file);
	return create(ret, how, settings, err);
}

int
accept_mutex_export(struct accept_mutex *m)
{
	return m->how->export_fd(m);
}

int
accept_mutex_attach(struct accept_mutex **ret, const char *mechanism, int fd,
	struct err *err)
{
	const struct accept_mutex_mechanism *how = find(mechanism);
	struct accept_mutex *m;
	int rc;

	if (how == NULL)
		return refuse_word(mechanism, err);
	rc = fd_set_cloexec(fd, true);
	if (rc < 0)
		return err_set(
			err, -rc, "Mutex %s: descriptor %d", how->name, fd);
	m = make(how);
	if (m == NULL)
		return err_set(err, ENOMEM, "Mutex %s", how->name);
	m->fd = fd;
	rc = how->attach(m, err);
	if (rc < 0) {
		free(m);
		return rc;
	}
	*ret = m;
	return 0;
}

int
accept_mutex_lock(struct accept_mutex *m)
{
	return m->how->lock(m);
}

int
accept_mutex_unlock(struct accept_mutex *m)
{
	return m->how->unlock(m);
}

void
accept_mutex_interrupt(struct accept_mutex *m)
{
	if (m->how->interrupt != NULL)
		m->how->interrupt(m);
}

void
accept_mutex_bury(struct accept_mutex *m, pid_t pid)
{
	if (m->how->bury != NULL)
		m->how->bury(m, pid);
}

void
accept_mutex_orphan(struct accept_mutex *m)
{
	if (m->how->orphan != NULL)
		m->how->orphan(m);
}

int
accept_mutex_explain(const struct accept_mutex *m, int code, struct err *err)
{
	const char *text = NULL;

	assert(code < 0);
	if (m->how->explain != NULL)
		text = m->how->explain(-code);
	if (text != NULL)
		return err_setx(err, -code, "Mutex %s: %s", m->how->name, text);
	return err_set(err, -code, "Mutex %s", m->how->name);
}

void
accept_mutex_destroy(struct accept_mutex *m)
{
	if (m == NULL)
		return;
	if (m->home == getpid() && m->how->destroy != NULL)
		m->how->destroy(m);
	fd_close(&m->fd);
	free(m);
}

const char *
accept_mutex_mechanism(const struct accept_mutex *m)
{
	return m->how->name;
}

int
accept_mutex_sweep(const char *run_directory, const char *name)
{
	return sysvsem_sweep(run_directory, name, NULL);
}

int
accept_mutex_sweep_others(const struct accept_mutex *mine,
	const char *run_directory, const char *name)
{
	return sysvsem_sweep(run_directory, name, mine);
}

int
accept_mutex_probe(const char *mechanism, struct err *err)
{
	const struct accept_mutex_mechanism *how = find(mechanism);

	return how == NULL ? refuse_word(mechanism, err) : try_out(how, err);
}

bool
accept_mutex_trusts(const char *mechanism)
{
	const struct accept_mutex_mechanism *how = find(mechanism);

	return how != NULL && how->trusts;
}

const char *
accept_mutex_name(size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(mechanisms); k++)
		if (try_out(mechanisms[k], NULL) == 0 && i-- == 0)
			return mechanisms[k]->name;
	return NULL;
}
