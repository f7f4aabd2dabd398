/*
 * define.c - the names of Define, UnDefine and -D.  See define.h.
 */
#include "config/define.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config/config_priv.h"

enum { LONGEST = 80 };

static struct config_define *
find(const struct config *c, struct str name)
{
	struct config_define *d = c->priv->defines;

	while (d != NULL && !str_equal(name, str_of(d->name)))
		d = d->next;
	return d;
}

bool
define_is_name(struct str name)
{
	if (name.len == 0 || name.len >= LONGEST || name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char ch = name.p[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			    (ch >= '0' && ch <= '9') || ch == '_' ||
			    ch == '-' || ch == '.'))
			return false;
	}
	return true;
}

int
define_add(struct config *c, struct str name, const char *value,
	bool from_command_line)
{
	struct arena *arena = &c->priv->arena;
	struct config_define *d = find(c, name);

	if (!define_is_name(name))
		return -EINVAL;
	if (value != NULL) {
		value = arena_copy(arena, value, strlen(value));
		if (value == NULL)
			return -ENOMEM;
	}
	if (d == NULL) {
		d = arena_alloc(arena, sizeof(*d));
		if (d == NULL)
			return -ENOMEM;
		d->name = arena_copy(arena, name.p, name.len);
		if (d->name == NULL)
			return -ENOMEM;
		d->next = c->priv->defines;
		c->priv->defines = d;
	} else if (!from_command_line && d->from_command_line &&
		   d->value != NULL) {
		d->undefined = false;
		return 0;
	}
	d->value = value;
	d->undefined = false;
	d->from_command_line = d->from_command_line || from_command_line;
	return 0;
}

void
define_remove(struct config *c, struct str name)
{
	struct config_define *d = find(c, name);

	if (d != NULL)
		d->undefined = true;
}

bool
define_exists(const struct config *c, struct str name)
{
	const struct config_define *d = find(c, name);

	return d != NULL && !d->undefined;
}

static const char *
value_of(const struct config *c, struct str name)
{
	const struct config_define *d = find(c, name);
	char text[LONGEST];

	if (d != NULL && !d->undefined && d->value != NULL)
		return d->value;
	if (name.len >= sizeof(text))
		return NULL;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return getenv(text);
}

static void
say_no_value(const struct config *c, struct str name, struct err *err)
{
	int len = (int)(name.len < LONGEST ? name.len : LONGEST - 1);

	if (define_exists(c, name))
		err_setx(err, EINVAL,
			"${%.*s} has no value: it is defined for <IfDefine> "
			"alone; write \"Define %.*s VALUE\" or -D %.*s=VALUE",
			len, name.p, len, name.p, len, name.p);
	else
		err_setx(err, EINVAL,
			"${%.*s} is not defined: not by Define, not by -D, and "
			"not in the environment",
			len, name.p);
}

const char *
define_value(void *config, struct str name, struct err *err)
{
	struct config *c = config;
	const char *value = value_of(c, name);

	if (value != NULL)
		c->priv->expanded += strlen(value);
	else
		say_no_value(c, name, err);
	return value;
}

int
config_define(struct config *c, const char *name)
{
	const char *equals = strchr(name, '=');
	struct str s = str_of(name);
	int rc;

	if (equals != NULL)
		s.len = (size_t)(equals - name);
	rc = define_add(c, s, equals != NULL ? equals + 1 : NULL, true);
	if (rc == -EINVAL)
		config_fail(c, "-D", NULL,
			"\"%s\" is no name to define; letters, digits and "
			"\"_\" are expected, as in \"-D NAME\" or "
			"\"-D NAME=VALUE\"",
			value_show(name).text);
	return rc;
}
