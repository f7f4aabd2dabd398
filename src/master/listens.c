/*
 * listens.c - can a server have all that its Listen lines ask for?
 *
 * What is no address at all, and two that the kernel would not give to one
 * server, are mistakes in the configuration: found before anything is bound,
 * by "wsgid -t" and a reload too.  Whether somebody else has an address is
 * another question, which only binding answers.
 */
#include "master/listens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/file.h"
#include "config/config.h"
#include "master/activation.h"
#include "master/paths.h"
#include "net/address.h"
#include "net/listen.h"

enum { MOST = 1000 }; /* lines; more are a mistake that has its own words */

/* An address, and the line that asks for it. */
struct place {
	struct address address;
	size_t line;
};

struct places {
	struct place *list;
	size_t n;
};

static void
add_places(
	struct places *all, size_t line, const struct address *addresses, int n)
{
	struct place *list =
		reallocarray(all->list, all->n + (size_t)n, sizeof(*all->list));

	if (list == NULL)
		return; /* the kernel will say it, then */
	all->list = list;
	for (int i = 0; i < n; i++)
		list[all->n++] = (struct place){addresses[i], line};
}

/* What a unix: socket needs but its address. */
static int
check_unix(const struct config *c, const struct config_listen *l,
	const struct address *address, struct err *err)
{
	const char *path = address->un.sun_path;
	struct account account = {.uid = (uid_t)-1};
	struct err why = {0};
	gid_t group = (gid_t)-1;
	int rc = 0;

	if (path[0] != '\0')
		rc = paths_check_parent(c, path, &why);
	if (rc == 0 && l->owner != NULL)
		rc = account_find_user(l->owner, &account, &why);
	if (rc == 0 && l->group != NULL)
		rc = account_find_group(l->group, &group, &why);
	if (rc == 0)
		rc = listen_check_gift(account.uid, group, &why);
	return rc < 0 ? err_setx(err, -rc, "Listen %s: %s", l->address,
				why.text)
		      : 0;
}

static void
check_line(struct config *c, size_t i, struct places *all)
{
	const char *text = c->listens[i].address;
	struct address addresses[ADDRESS_MOST];
	struct err why = {0};
	int n = activation_names(text)
			? activation_check(text, &why)
			: address_parse(addresses, ADDRESS_MOST, text, &why);

	if (n == -EINVAL || n == -ENAMETOOLONG)
		config_blame_listen(c, i, why.text);
	else if (n > 0 && !activation_names(text))
		add_places(all, i, addresses, n);
	if (n > 0 && !activation_names(text) &&
		addresses[0].any.sa_family == AF_UNIX &&
		check_unix(c, &c->listens[i], &addresses[0], &why) < 0)
		config_blame_at(c, c->listens[i].where, NULL, why.text);
}

/* "/run/x" and "/run/../run/x". */
static bool
is_same_file(const struct address *a, const struct address *b)
{
	char x[sizeof(a->un.sun_path) + 1], y[sizeof(b->un.sun_path) + 1];
	char *x_name, *y_name;

	if (a->any.sa_family != AF_UNIX || b->any.sa_family != AF_UNIX)
		return false;
	strcpy(x, a->un.sun_path);
	strcpy(y, b->un.sun_path);
	x_name = strrchr(x, '/');
	y_name = strrchr(y, '/');
	if (x_name == NULL || y_name == NULL || strcmp(x_name, y_name) != 0)
		return false;
	x_name[1] = y_name[1] = '\0';
	return file_is_same(x, y);
}

/* The same words twice are found by the configuration itself. */
static bool
exclude(const struct config *c, const struct place *a, const struct place *b)
{
	return a->line != b->line &&
	       strcmp(c->listens[a->line].address,
		       c->listens[b->line].address) != 0 &&
	       (address_excludes(&a->address, &b->address) ||
		       is_same_file(&a->address, &b->address));
}

static bool
check_place(struct config *c, const struct places *all, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (exclude(c, &all->list[i], &all->list[j])) {
			config_blame_both(
				c, all->list[j].line, all->list[i].line);
			return true;
		}
	return false;
}

void
listens_check(struct config *c)
{
	struct places all = {0};
	size_t told = SIZE_MAX; /* one sentence a line */

	for (size_t i = 0; i < c->n_listens && i < MOST; i++)
		check_line(c, i, &all);
	for (size_t i = 0; i < all.n; i++)
		if (all.list[i].line != told && check_place(c, &all, i))
			told = all.list[i].line;
	free(all.list);
}
