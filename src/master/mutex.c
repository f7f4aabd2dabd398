/*
 * mutex.c - which accept mutex the children take in turn, if any.
 *
 * "Mutex MECHANISM[:FILE]" as in Apache, for mpm-accept.  default and none
 * are no mutex at all: with one listener the kernel wakes one waiting child
 * for a connection, and with several the children wait on one set of them,
 * which measured better than any mutex.  The others are Apache's, for those
 * who want its way; as there, only children that have several listeners take
 * turns.  One mutex serves all generations, so changing the directive takes a
 * stop and a start, and the mutex is there when a reload adds a listener.
 */
#include "master/mutex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/account.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "lock/accept_mutex.h"
#include "master/generation.h"
#include "master/pool.h"
#include "master/state.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"

struct choice {
	char mechanism[32];
	const char *file; /* NULL: none was named */
};

static int
read_choice(const struct config *c, struct choice *ret, struct err *err)
{
	const char *text = c->mutex;
	size_t len = strcspn(text, ":");

	if (len >= sizeof(ret->mechanism))
		return err_setx(err, EINVAL,
			"\"%s\" is the name of no mechanism", text);
	memcpy(ret->mechanism, text, len);
	ret->mechanism[len] = '\0';
	ret->file = text[len] == ':' ? text + len + 1 : NULL;
	if (ret->file != NULL && ret->file[0] == '\0')
		return err_setx(err, EINVAL,
			"\"%s\": there is no file behind the colon; leave it "
			"out, or name one, as in \"fcntl:/run/lock/wsgid\"",
			text);
	if (!config_has_mutex(c))
		strcpy(ret->mechanism, "none");
	if (ret->file != NULL && strcmp(ret->mechanism, "none") == 0)
		return err_setx(err, EINVAL,
			"%s: only fcntl and flock lock a file; leave it out",
			text);
	return 0;
}

/* As it will be made: with the file that was named. */
static int
try_out(const struct choice *choice, struct err *err)
{
	const struct accept_mutex_settings settings = {
		.mechanism = choice->mechanism,
		.file = choice->file,
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	struct accept_mutex *m;
	int rc;

	if (choice->file == NULL)
		return accept_mutex_probe(choice->mechanism, err);
	rc = accept_mutex_create(&m, &settings, err);
	if (rc == 0)
		accept_mutex_destroy(m);
	return rc;
}

/* A message of the configuration begins with the directive already. */
static const char *
without_directive(const char *sentence)
{
	static const char directive[] = "Mutex ";
	size_t len = sizeof(directive) - 1;

	return strncmp(sentence, directive, len) == 0 ? sentence + len
						      : sentence;
}

void
mutex_check(struct config *c)
{
	struct choice choice;
	struct err err = {0};

	if (read_choice(c, &choice, &err) < 0 ||
		try_out(&choice, &err) < 0)
		config_blame(c, "Mutex", without_directive(err.text));
	else if (accept_mutex_trusts(choice.mechanism))
		config_remark(c, "Mutex",
			"an application can write to it, or remove it, and so "
			"keep all children from accepting; with default it "
			"cannot");
}

static void
find_owner(const struct config *c, struct accept_mutex_settings *settings)
{
	struct account account;

	settings->user = (uid_t)-1;
	settings->group = (gid_t)-1;
	if (c->user != NULL &&
		account_find_user(c->user, &account, NULL) == 0) {
		settings->user = account.uid;
		settings->group = account.gid;
	}
	if (c->group != NULL)
		(void)account_find_group(c->group, &settings->group, NULL);
}

static int
make(struct accept_mutex **ret, const struct master *m, const struct config *c,
	struct err *err)
{
	struct accept_mutex_settings settings = {
		.run_directory = m->run.path,
		.name = m->name,
	};
	struct choice choice;
	int rc = read_choice(c, &choice, err);

	if (rc < 0)
		return rc;
	if (!config_has_mutex(c))
		return 0;
	settings.mechanism = choice.mechanism;
	settings.file = choice.file;
	find_owner(c, &settings);
	return accept_mutex_create(ret, &settings, err);
}

int
mutex_open(struct master *m, const struct config *c, struct err *err)
{
	/* In an upgrade the old one's children use theirs still: mutex_turn. */
	if (m->run.path != NULL && m->heritage == NULL)
		(void)accept_mutex_sweep(m->run.path, m->name);
	return make(&m->mutex, m, c, err);
}

void
mutex_inherit(struct master *m)
{
	m->mutex_number = 1;
	m->mutex_left = true;
}

static bool
anybody_uses_the_old(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (m->children[i].life != LIFECYCLE_VACANT &&
			m->children[i].mutex == 0)
			return true;
	return false;
}

void
mutex_turn(struct master *m)
{
	/* A check has one of its own. */
	if (!m->mutex_left || upgrade_running(m) || anybody_uses_the_old(m))
		return;
	m->mutex_left = false;
	if (m->run.path != NULL)
		(void)accept_mutex_sweep_others(m->mutex, m->run.path, m->name);
}

void
mutex_failed(struct master *m, const struct child *c)
{
	/* One failure, however many children meet it. */
	if (m->mutex == NULL || m->mutex_broken || c->mutex != m->mutex_number)
		return;
	m->mutex_broken = true;
	pool_failed(m, c, "whose accept mutex is broken");
}

/* Who has the old one breaks, too, as soon as it asks for it. */
static void
renew(struct master *m)
{
	struct accept_mutex *old = m->mutex;
	struct err err = {0};

	if (make(&m->mutex, m, m->now->config, &err) < 0) {
		log_errorx("master", "%s; the broken one is kept", err.text);
		return;
	}
	accept_mutex_destroy(old);
	m->mutex_number++;
	m->mutex_broken = false;
	log_notice("master", "accept mutex: %s, made anew",
		accept_mutex_mechanism(m->mutex));
}

const char *
mutex_name(const struct master *m)
{
	return m->mutex != NULL ? accept_mutex_mechanism(m->mutex) : "none";
}

bool
mutex_unneeded(const struct master *m, const struct generation *g)
{
	return m->mutex != NULL && g->n_listeners < 2;
}

int
mutex_export(struct master *m, const struct generation *g)
{
	if (m->mutex == NULL || mutex_unneeded(m, g))
		return -1;
	if (m->mutex_broken)
		renew(m);
	return accept_mutex_export(m->mutex);
}

void
mutex_bury(struct master *m, pid_t pid)
{
	if (m->mutex != NULL)
		accept_mutex_bury(m->mutex, pid);
}

void
mutex_close(struct master *m)
{
	accept_mutex_destroy(m->mutex);
	m->mutex = NULL;
}
