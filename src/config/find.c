/*
 * find.c - a directive by its name, its options, its environment variable or
 * what it sets.
 */
#include "config/directive.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/values.h"

const struct directive *
directive_find(const char *name)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++)
		if (strcasecmp(row->name, name) == 0 ||
			(row->alias != NULL &&
				strcasecmp(row->alias, name) == 0))
			return row;
	return NULL;
}

const struct directive *
directive_find_option(struct str option)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++)
		if (option.len > 0 &&
			(str_equal(option, str_of(row->option)) ||
				str_equal(option, str_of(row->short_option)) ||
				str_equal(option, str_of(row->other_option))))
			return row;
	return NULL;
}

/* Does "MAX_CLIENTS" follow from "--max-clients"? */
static bool
environment_follows(struct str name, const char *option)
{
	if (option == NULL || strlen(option) != name.len + 2)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = option[i + 2];

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c != name.p[i])
			return false;
	}
	return true;
}

const struct directive *
directive_find_environment(struct str name, bool *primary)
{
	static const struct str prefix = {"WSGID_", 6};

	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
		struct str rest = {name.p + prefix.len, 0};

		if (str_equal(name, str_of(row->other_environment)) &&
			name.len > 0) {
			*primary = false;
			return row;
		}
		if (name.len <= prefix.len ||
			memcmp(name.p, prefix.p, prefix.len) != 0)
			continue;
		rest.len = name.len - prefix.len;
		if (environment_follows(rest, row->option)) {
			*primary = true;
			return row;
		}
	}
	return NULL;
}

const struct directive *
directive_of(size_t offset)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++)
		if (row->offset == offset && row->type != &value_log_format)
			return row;
	return NULL;
}

int
directive_environment(const struct directive *row, struct buf *out)
{
	buf_add_text(out, "WSGID_");
	for (const char *p = row->option + 2; *p != '\0'; p++) {
		char c = *p;

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		buf_add_char(out, c);
	}
	return buf_failed(out) ? -ENOMEM : 0;
}
