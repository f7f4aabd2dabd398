/*
 * activation.c - the sockets that systemd passes, and which Listen each is for.
 *
 * Where no Listen is written they stand for all of them: the socket unit says
 * where to listen.  Where there are some, each must be one of the sockets, by
 * its address or, "Listen fd:NAME", by its FileDescriptorName, and each socket
 * must be somebody's.  Nothing is guessed: a socket that nobody accepts from
 * lets its clients wait for ever, and a Listen without one is a port that is
 * closed.
 */
#include "master/activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "master/fdstore.h"
#include "master/generation.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/state.h"
#include "net/address.h"
#include "net/listen.h"

/* A socket that systemd has passed. */
struct passed {
	struct listener listener;
	char name[ADDRESS_TEXT - 4]; /* FileDescriptorName; "": it has none */
	bool used;                   /* by the generation being made */
};

static const char by_name[] = "fd:";

/* --- taking them ---------------------------------------------------------------- */

/* What systemd calls a socket that has no name is none. */
static bool
is_name(const char *name)
{
	return name[0] != '\0' && strcmp(name, "unknown") != 0;
}

static int
refuse(const char *name, const struct err *why, struct err *err)
{
	return err_setx(
		err, EINVAL, "systemd passes \"%s\": %s", name, why->text);
}

static int
take(struct master *m, int fd, const char *name, struct err *err)
{
	struct passed *passed =
		reallocarray(m->passed, m->n_passed + 1, sizeof(*m->passed));
	struct err why = {0};
	int rc;

	if (passed == NULL)
		return err_set(err, ENOMEM, "sockets passed by systemd");
	m->passed = passed;
	passed += m->n_passed;
	*passed = (struct passed){0};
	rc = listen_adopt(&passed->listener, fd, &why);
	if (rc < 0)
		return refuse(name, &why, err);
	if (is_name(name) && strlen(name) < sizeof(passed->name))
		strcpy(passed->name, name);
	m->n_passed++;
	return 0;
}

/* A wrapper that starts us and stays has what was meant for it. */
static void
say_not_ours(struct master *m)
{
	pid_t pid = notify_sockets_of();

	if (pid > 0)
		buf_printf(m->order->notices,
			"LISTEN_PID is %d, and this is process %d: the sockets "
			"that systemd passes are not taken; a script that "
			"starts wsgid must do so by exec\n",
			(int)pid, (int)getpid());
}

static const char *
or_unset(const char *text)
{
	return text != NULL ? text : "(unset)";
}

/* NULL without memory. */
static char *
what_is_said_of_them(void)
{
	char *text;
	int n = asprintf(&text, "LISTEN_PID=%s LISTEN_FDS=%s LISTEN_FDNAMES=%s",
		or_unset(getenv("LISTEN_PID")), or_unset(getenv("LISTEN_FDS")),
		or_unset(getenv("LISTEN_FDNAMES")));

	return n < 0 ? NULL : text;
}

static int
refuse_words(int error, const char *words, struct err *err)
{
	return err_setx(err, EINVAL,
		"%s: no sockets of a service manager are described so (%s); it "
		"sets them itself, and without one they have to be unset",
		words != NULL ? words : "sockets passed by systemd",
		strerror(-error));
}

int
activation_take(struct master *m, struct err *err)
{
	AUTO_FREE char *words = NULL;
	char **names = NULL;
	int first, n, rc = 0;

	say_not_ours(m);
	words = what_is_said_of_them(); /* they are unset then */
	n = notify_passed_sockets(true, &first, &names);
	if (n < 0)
		return refuse_words(n, words, err);
	for (int i = 0; rc == 0 && i < n; i++) {
		const char *name = names != NULL ? names[i] : "";

		rc = fdstore_is_ours(name)
			     ? fdstore_take(m, first + i, name, err)
			     : take(m, first + i, name, err);
	}
	for (int i = 0; names != NULL && i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}

bool
activation_is_due(void)
{
	char **names = NULL;
	int first, n = notify_passed_sockets(false, &first, &names);
	bool is_due = false;

	for (int i = 0; names != NULL && i < n; i++) {
		is_due |= !fdstore_is_ours(names[i]);
		free(names[i]);
	}
	free(names);
	return is_due;
}

int
master_check_sockets(struct err *err)
{
	char **names = NULL;
	int first, n = notify_passed_sockets(false, &first, &names), rc = 0;

	for (int i = 0; names != NULL && i < n; i++) {
		struct listener l;
		struct err why = {0};

		if (rc == 0 && !fdstore_is_ours(names[i]) &&
			listen_inherit(&l, first + i, &why) < 0)
			rc = refuse(names[i], &why, err);
		free(names[i]);
	}
	free(names);
	return rc < 0 || n < 0 ? rc : n;
}

int
activation_inherit(struct master *m, int fd, const char *asked, struct err *err)
{
	struct passed *passed =
		reallocarray(m->passed, m->n_passed + 1, sizeof(*m->passed));
	int rc;

	if (passed == NULL)
		return err_set(err, ENOMEM, "sockets passed by systemd");
	m->passed = passed;
	passed += m->n_passed;
	*passed = (struct passed){0};
	rc = listen_inherit(&passed->listener, fd, err);
	if (rc < 0)
		return rc;
	if (strncmp(asked, by_name, strlen(by_name)) == 0)
		strcpy(passed->name, asked + strlen(by_name));
	m->n_passed++;
	return 0;
}

void
activation_close(struct master *m)
{
	for (size_t i = 0; i < m->n_passed; i++)
		listen_close(&m->passed[i].listener);
	m->n_passed = 0;
}

int
activation_name(const struct master *m, struct config *c, struct err *err)
{
	char text[ADDRESS_TEXT];

	if (m->n_passed == 0)
		return 0;
	address_format(&m->passed[0].listener.address, text);
	return config_name_after(c, text) < 0
		       ? err_set(err, ENOMEM, "the name of the server")
		       : 0;
}

/* --- which is whose --------------------------------------------------------------- */

static void
describe(const struct passed *p, struct buf *to)
{
	char text[ADDRESS_TEXT];

	address_format(&p->listener.address, text);
	buf_add_text(to, text);
	if (p->name[0] != '\0')
		buf_printf(to, " (%s)", p->name);
}

/* "Listen 80" alone is not there; said with what is. */
static int
explain_missing(const struct master *m, const char *asked, struct err *err)
{
	struct buf there = {0};
	int rc;

	for (size_t i = 0; i < m->n_passed; i++) {
		buf_add_text(&there, i > 0 ? ", " : "");
		describe(&m->passed[i], &there);
	}
	if (m->n_passed == 0)
		rc = err_setx(err, ENOENT,
			"Listen %s: systemd passes no socket at all: start "
			"wsgid by its socket unit, or name an address",
			asked);
	else
		rc = err_setx(err, ENOENT,
			"Listen %s: systemd passes no such socket, but %s: add "
			"it to the socket unit, or change this Listen",
			asked, buf_text(&there));
	buf_fini(&there);
	return rc;
}

/* Two lines may mean the same one. */
static int
use(struct generation *g, struct passed *p, struct err *err)
{
	char asked[ADDRESS_TEXT];

	if (p->used)
		return 0;
	p->used = true;
	if (p->name[0] != '\0')
		snprintf(asked, sizeof(asked), "%s%s", by_name, p->name);
	else
		address_format(&p->listener.address, asked);
	return generation_share(g, &p->listener, asked, EVERY_BUCKET, err);
}

/* All sockets of a unit have one name. */
static int
find_by_name(struct master *m, struct generation *g, const char *name,
	struct err *err)
{
	int found = 0;

	for (size_t i = 0; i < m->n_passed; i++) {
		struct passed *p = &m->passed[i];
		int rc = 0;

		if (p->name[0] == '\0' || strcmp(p->name, name) != 0)
			continue;
		rc = use(g, p, err);
		if (rc < 0)
			return rc;
		found++;
	}
	return found;
}

/* A host name may stand for several addresses, of which one is enough. */
static int
find_by_address(struct master *m, struct generation *g, const char *text,
	struct err *err)
{
	struct address addresses[ADDRESS_MOST];
	int n = address_parse(addresses, ADDRESS_MOST, text, err), found = 0;

	for (int k = 0; k < n; k++) {
		for (size_t i = 0; i < m->n_passed; i++) {
			struct passed *p = &m->passed[i];
			int rc;

			if (!address_equal(&p->listener.address, &addresses[k]))
				continue;
			rc = use(g, p, err);
			if (rc < 0)
				return rc;
			found++;
		}
	}
	return n < 0 ? n : found;
}

static int
check_all_are_used(const struct master *m, struct err *err)
{
	for (size_t i = 0; i < m->n_passed; i++) {
		struct buf text = {0};

		if (m->passed[i].used)
			continue;
		describe(&m->passed[i], &text);
		err_setx(err, EINVAL,
			"systemd passes a socket that no Listen asks for, %s: "
			"its clients would wait for ever; add a Listen for it, "
			"or take it out of the socket unit",
			buf_text(&text));
		buf_fini(&text);
		return -EINVAL;
	}
	return 0;
}

bool
activation_names(const char *listen)
{
	return strncmp(listen, by_name, strlen(by_name)) == 0;
}

int
activation_check(const char *listen, struct err *err)
{
	const char *name = listen + strlen(by_name);

	if (*name == '\0')
		return err_setx(err, EINVAL,
			"Listen %s: a name is missing: that of "
			"FileDescriptorName= in the socket unit",
			listen);
	if (strlen(name) >= sizeof(((struct passed *)NULL)->name))
		return err_setx(err, EINVAL,
			"Listen %s: that is too long for a name", listen);
	return 0;
}

static int
share(struct master *m, struct generation *g, const char *listen,
	struct err *err)
{
	int found = activation_names(listen)
			    ? find_by_name(m, g, listen + strlen(by_name), err)
			    : find_by_address(m, g, listen, err);

	return found == 0 ? explain_missing(m, listen, err) : found;
}

int
activation_share(struct master *m, struct generation *g, struct err *err)
{
	const struct config *c = g->config;
	int rc = 0;

	for (size_t i = 0; i < m->n_passed; i++)
		m->passed[i].used = false;
	if (config_listens_by_default(c)) {
		for (size_t i = 0; rc >= 0 && i < m->n_passed; i++)
			rc = use(g, &m->passed[i], err);
		generation_mark(g, 0, &c->listens[0]);
		return rc;
	}
	for (size_t i = 0; rc >= 0 && i < c->n_listens; i++) {
		size_t first = g->n_listeners;

		rc = share(m, g, c->listens[i].address, err);
		if (rc < 0)
			err_at(err, c->listens[i].where);
		generation_mark(g, first, &c->listens[i]);
	}
	return rc < 0 ? rc : check_all_are_used(m, err);
}
