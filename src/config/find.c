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

const char *
directive_option(const struct directive *row, size_t i)
{
	const char *const all[DIRECTIVE_OPTIONS] = {
		row->option, row->other_option, row->alias_option};

	return all[i];
}

static bool
has_option(const struct directive *row, struct str option)
{
	for (size_t i = 0; i < DIRECTIVE_OPTIONS; i++)
		if (str_equal(option, str_of(directive_option(row, i))))
			return true;
	return str_equal(option, str_of(row->short_option));
}

const struct directive *
directive_find_option(struct str option)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++)
		if (option.len > 0 && has_option(row, option))
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

static bool
has_environment(const struct directive *row, struct str prefix, struct str name)
{
	struct str rest;

	if (name.len <= prefix.len || memcmp(name.p, prefix.p, prefix.len) != 0)
		return false;
	rest = (struct str){name.p + prefix.len, name.len - prefix.len};
	for (size_t i = 0; i < DIRECTIVE_OPTIONS; i++)
		if (environment_follows(rest, directive_option(row, i)))
			return true;
	return false;
}

const struct directive *
directive_find_environment(struct str name, enum directive_variable *kind)
{
	const struct directive *row;

	for (size_t i = 0; (row = directive_at(i)) != NULL; i++) {
		if (has_environment(row, STR("WSGID_"), name))
			*kind = VARIABLE_OURS;
		else if (has_environment(row, STR("WSGID_DEFAULT_"), name))
			*kind = VARIABLE_DEFAULT;
		else if (name.len > 0 &&
			 str_equal(name, str_of(row->other_environment)))
			*kind = VARIABLE_FOREIGN;
		else
			continue;
		return row;
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
directive_environment(const char *option, struct buf *out)
{
	buf_add_text(out, "WSGID_");
	for (const char *p = option + 2; *p != '\0'; p++) {
		char c = *p;

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		buf_add_char(out, c);
	}
	return buf_failed(out) ? -ENOMEM : 0;
}
