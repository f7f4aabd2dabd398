/*
 * settle.c - everything about a configuration that can be found wrong before
 * anything is opened.
 *
 * The configuration knows its own rules.  What takes another library or a look
 * at the machine is asked here, at the start, by "wsgid -t" and by a reload;
 * whatever is wrong becomes a message of the configuration, with its place.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "accesslog/format.h"
#include "base/account.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/machine.h"
#include "base/str.h"
#include "config/config.h"
#include "http/path.h"
#include "master/listens.h"
#include "master/master.h"
#include "master/mutex.h"
#include "master/paths.h"
#include "master/python.h"
#include "master/user.h"

static bool
is_log_format(const char *text, struct err *err)
{
	struct log_format *format = NULL;
	int rc = log_format_compile(&format, text, err);

	log_format_destroy(format);
	return rc == 0;
}

/* The children will compile them again; a mistake shall show before.  What has
 * no item in it is a nickname as yet. */
static void
check_log_formats(struct config *c)
{
	const char *text;
	struct err err = {0};

	for (size_t i = 0; (text = config_log_format(c, i)) != NULL; i++)
		if (!is_log_format(text, &err))
			config_blame_log_format(c, i, err.text);
	for (size_t i = 0; i < c->n_access_logs; i++) {
		text = c->access_logs[i].format;
		if (strchr(text, '%') != NULL && !is_log_format(text, &err))
			config_blame_access_log(c, i, err.text);
	}
}

static struct str
path_of(const struct config_url *url)
{
	struct str path = url->target;
	const char *query = memchr(path.p, '?', path.len);

	if (query != NULL)
		path.len = (size_t)(query - path.p);
	return path.len > 0 ? path : STR("/");
}

/* As a child will resolve it. */
static int
check_url(const struct config *c, struct str text, struct err *err)
{
	enum { SHOWN = 100 }; /* what follows is worth more than all of it */
	const struct path_rules rules = {
		.slashes = (enum path_slashes)c->allow_encoded_slashes,
		.merge = c->merge_slashes,
		.mount = str_of(c->mount_point),
	};
	struct buf memory = {0};
	struct config_url url;
	struct str path;
	const char *why;
	int rc;

	if (config_read_url(&url, text, NULL) < 0)
		return 0; /* "none", or told already */
	rc = path_find(path_of(&url), &rules, &memory, &path, &why);
	buf_fini(&memory);
	if (rc == 0)
		return 0;
	return err_setx(err, EINVAL, "%.*s: %s%s",
		text.len < SHOWN ? (int)text.len : SHOWN, text.p, why,
		why == path_outside ? "; write it with that, as clients do"
				    : "");
}

static void
check_warm_up(struct config *c)
{
	struct str list = str_of(c->warm_up);
	struct err err = {0};

	while (list.p != NULL)
		if (check_url(c, str_next_element(&list), &err) < 0)
			config_blame(c, "WSGIWarmUp", err.text);
}

/* Whether the children's user may enter is found out by the children. */
static void
check_directory(struct config *c, const char *directive, const char *path)
{
	struct stat st;
	struct err err = {0};

	if (path == NULL)
		return;
	if (stat(path, &st) < 0)
		err_set(&err, errno, "%s", path);
	else if (!S_ISDIR(st.st_mode))
		err_setx(&err, ENOTDIR, "%s is no directory", path);
	if (err.code != 0)
		config_blame(c, directive, err.text);
}

static void
check_control_group(struct config *c)
{
	struct err err = {0};
	gid_t group;

	if (c->control_group != NULL &&
		account_find_group(c->control_group, &group, &err) < 0)
		config_blame(c, "ControlGroup", err.text);
}

int
master_settle(
	struct config *c, const struct config *running, struct buf *notices)
{
	struct config_machine machine = {
		.cpus = machine_cpus(""),
		.running = running,
	};

	user_settle(c, notices);
	listens_check(c);
	mutex_check(c);
	check_control_group(c);
	python_check(c);
	paths_check(c, running);
	check_directory(c, "ChDir", c->directory);
	check_directory(c, "CoreDumpDirectory", c->core_dump_directory);
	check_log_formats(c);
	check_warm_up(c);
	return config_settle(c, &machine);
}
