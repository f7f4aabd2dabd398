/*
 * directive.c - finding a row of the table.  See directive.h.
 */
#include "config/directive.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/values.h"

const struct directive *
directive_find(const char *name)
{
	for (size_t i = 0; i < directive_count(); i++)
		if (strcasecmp(directive_at(i)->name, name) == 0 ||
			(directive_at(i)->alias != NULL &&
				strcasecmp(directive_at(i)->alias, name) == 0))
			return directive_at(i);
	return NULL;
}

const struct directive *
directive_find_option(struct str option)
{
	for (size_t i = 0; i < directive_count(); i++)
		if (option.len > 0 &&
			(str_equal(option, str_of(directive_at(i)->option)) ||
				str_equal(option,
					str_of(directive_at(i)
							->short_option)) ||
				str_equal(option,
					str_of(directive_at(i)->other_option))))
			return directive_at(i);
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

	for (size_t i = 0; i < directive_count(); i++) {
		struct str rest = {name.p + prefix.len, 0};

		if (str_equal(
			    name, str_of(directive_at(i)->other_environment)) &&
			name.len > 0) {
			*primary = false;
			return directive_at(i);
		}
		if (name.len <= prefix.len ||
			memcmp(name.p, prefix.p, prefix.len) != 0)
			continue;
		rest.len = name.len - prefix.len;
		if (environment_follows(rest, directive_at(i)->option)) {
			*primary = true;
			return directive_at(i);
		}
	}
	return NULL;
}

const struct directive *
directive_of(size_t offset)
{
	for (size_t i = 0; i < directive_count(); i++)
		if (directive_at(i)->offset == offset &&
			directive_at(i)->type != &value_log_format)
			return directive_at(i);
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
