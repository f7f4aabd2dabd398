/*
 * options.c - directives from the command line and from the environment.
 *
 * An option's name is unambiguous or it is none: no abbreviations, which
 * change their meaning when a directive is added.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "config/config_priv.h"

/* An option as it was written, taken apart. */
struct option {
	struct str name;   /* "--bind", "-b" */
	const char *value; /* attached to it, or NULL */
	bool negated;      /* "--no-keep-alive" */
	const struct directive *row;
};

/* "-b", "-bVALUE". */
static bool
find_short(struct option *o, const char *text)
{
	o->name = (struct str){text, 2};
	o->value = text[2] != '\0' ? text + 2 : NULL;
	o->row = directive_find_option(o->name);
	return o->row != NULL;
}

/* "--bind", "--bind=VALUE", "--no-keep-alive". */
static bool
find_long(struct option *o, const char *text)
{
	const char *equals = strchr(text, '=');
	char positive[64];

	o->name = str_of(text);
	if (equals != NULL) {
		o->name.len = (size_t)(equals - text);
		o->value = equals + 1;
	}
	o->row = directive_find_option(o->name);
	if (o->row != NULL)
		return true;
	if (o->name.len < 6 || o->name.len >= sizeof(positive) ||
		strncmp(text, "--no-", 5) != 0)
		return false;
	memcpy(positive, "--", 2);
	memcpy(positive + 2, text + 5, o->name.len - 5);
	o->row = directive_find_option((struct str){positive, o->name.len - 3});
	o->negated = true;
	return o->row != NULL && o->row->type->is_flag;
}

static bool
is_on_or_off(const char *text)
{
	return text != NULL &&
	       (strcasecmp(text, "on") == 0 || strcasecmp(text, "off") == 0);
}

/* The value of a flag's option; it takes the next word, which may be NULL,
 * only if that can be nothing else. */
static const char *
flag_value(struct config *c, const struct option *o, const char *where,
	const char *next, int *index)
{
	if (o->negated && o->value != NULL) {
		c->priv->misread_option = true;
		config_fail(c, where, o->row->name,
			"an option that begins with --no- has no value");
		return NULL;
	}
	if (o->negated)
		return "Off";
	if (o->value != NULL)
		return o->value;
	if (!is_on_or_off(next))
		return "On";
	++*index;
	return next;
}

static const char *
option_value(struct config *c, const struct option *o, const char *where,
	const char *next, int *index)
{
	if (o->row->type->is_flag)
		return flag_value(c, o, where, next, index);
	if (o->value != NULL)
		return o->value;
	if (next != NULL && strncmp(next, "--", 2) != 0) {
		++*index;
		return next;
	}
	c->priv->misread_option = true;
	config_fail(c, where, o->row->name,
		"the option needs a value, as in \"%s %s\"%s", where,
		o->row->example,
		next != NULL ? "; what follows is the next option" : "");
	return NULL;
}

int
config_read_option(struct config *c, int argc, char *const *argv, int *index)
{
	const char *text = *index < argc ? argv[*index] : "";
	struct option o = {0};
	const char *value;
	char where[64];

	if (text[0] != '-' || text[1] == '\0')
		return 0;
	if (!(text[1] == '-' ? find_long(&o, text) : find_short(&o, text)))
		return 0;
	++*index;
	memcpy(where, o.name.p, o.name.len); /* a name of the table */
	where[o.name.len] = '\0';
	value = option_value(
		c, &o, where, *index < argc ? argv[*index] : NULL, index);
	if (value != NULL)
		config_apply_text(
			c, CONFIG_FROM_COMMAND_LINE, o.row, value, where);
	return 1;
}

const char *
config_foreign_verb(const char *word)
{
	return directive_foreign_verb(word);
}

const char *
config_foreign_option(const char *option, const char *next)
{
	size_t len = strcspn(option, "=");
	const char *verb = NULL;
	char name[64];

	/* httpd's has a verb behind it or attached, gunicorn's a class of workers. */
	if (strncmp(option, "-k", 2) == 0 && option[2] != '\0')
		next = option + 2;
	if (strncmp(option, "-k", 2) == 0 && next != NULL)
		verb = directive_foreign_verb(next);
	if (verb != NULL)
		return verb;
	if (len >= sizeof(name))
		return NULL;
	memcpy(name, option, len);
	name[len] = '\0';
	return directive_foreign(strncmp(name, "--", 2) == 0 ? name + 2 : name);
}

const char *
config_nearest_option(const char *option)
{
	char name[64];
	size_t len = strcspn(option, "=");

	if (len >= sizeof(name) || strncmp(option, "--", 2) != 0)
		return NULL;
	memcpy(name, option, len);
	name[len] = '\0';
	return directive_nearest_option(name);
}

/* Listen's other words have no ":" in them, or a name and "=" before it. */
static bool
begins_address(struct str s)
{
	struct str word = {s.p, 0};

	while (word.len < s.len && !isspace((unsigned char)s.p[word.len]))
		word.len++;
	if (word.len == 0 || memmem(word.p, word.len, "unix:", 5) != NULL)
		return word.len > 0;
	if (memchr(word.p, '=', word.len) != NULL)
		return false;
	return isdigit((unsigned char)word.p[0]) ||
	       memchr(word.p, ':', word.len) != NULL;
}

/* How much of "unix:/x mode=0660 8000" is the first address and its words. */
static size_t
address_length(struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		if (!quoted && isspace((unsigned char)s.p[i]) &&
			begins_address((struct str){
				s.p + i + 1, s.len - i - 1}))
			return i;
	}
	return s.len;
}

/* An element, or with spaces between them several addresses. */
static void
apply_element(struct config *c, enum config_source source,
	const struct directive *row, struct str element, const char *where)
{
	while (element.len > 0) {
		size_t len = row->type == &value_listen
				     ? address_length(element)
				     : element.len;
		const char *copy =
			arena_copy(&c->priv->arena, element.p, len);

		if (copy == NULL) {
			config_no_memory(c);
			return;
		}
		config_apply_text(c, source, row, copy, where);
		element = str_trim(
			(struct str){element.p + len, element.len - len});
	}
}

/* A list with commas is applied element by element. */
static void
apply_list(struct config *c, enum config_source source,
	const struct directive *row, const char *value, const char *where)
{
	struct str list = str_of(value);
	bool empty = true;

	while (list.p != NULL) {
		struct str element = str_next_element(&list);

		empty = empty && element.len == 0;
		apply_element(c, source, row, element, where);
	}
	if (empty)
		config_fail(c, where, row->name,
			"\"%s\" is a list of nothing; write %s, or nothing at "
			"all for what holds without it",
			value_show(value).text, row->example);
}

static void
apply_variable(struct config *c, const struct directive *row,
	enum directive_variable kind, const char *value, const char *where)
{
	static const enum config_source sources[] = {
		[VARIABLE_OURS] = CONFIG_FROM_ENVIRONMENT,
		[VARIABLE_DEFAULT] = CONFIG_FROM_DEFAULT_VARIABLE,
		[VARIABLE_FOREIGN] = CONFIG_FROM_FOREIGN_ENVIRONMENT,
	};
	enum config_source source = sources[kind];

	/* Compose files and the like set a variable to nothing where they
	 * mean not to set it. */
	if (*value == '\0')
		return;
	if (row->type->commas)
		apply_list(c, source, row, value, where);
	else
		config_apply_text(c, source, row, value, where);
}

/* Who sets it expects something of it. */
static void
foreign_variable(struct config *c, struct str s, const char *value)
{
	char name[64];
	const char *advice;

	if (s.len >= sizeof(name) || *value == '\0')
		return;
	memcpy(name, s.p, s.len);
	name[s.len] = '\0';
	advice = directive_foreign_environment(name);
	if (advice != NULL)
		config_warn(c, name, NULL,
			"this is another server's variable and is not read: %s",
			advice);
}

/* What Kubernetes, and Docker of old, tell each container of a service that is
 * called wsgid, or wsgid-shop: of nobody's making, and so no mistake. */
static bool
is_of_a_service(const char *name, const char *value)
{
	static const struct {
		const char *name, *value;
	} links[] = {
		{"WSGID*_SERVICE_HOST", "*"},
		{"WSGID*_SERVICE_PORT?(_*)", "*"},
		{"WSGID*_PORT", "@(tcp|udp|sctp)://*"},
		{"WSGID*_PORT_+([0-9])_@(TCP|UDP|SCTP)"
		 "?(_@(PROTO|PORT|ADDR))",
			"*"},
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (fnmatch(links[i].name, name, FNM_EXTMATCH) == 0 &&
			fnmatch(links[i].value, value, FNM_EXTMATCH) == 0)
			return true;
	return false;
}

static void
unknown_variable(struct config *c, const char *name)
{
	struct buf b = {0};
	const char *nearest = directive_nearest_environment(name, &b);

	config_warn(c, value_show(name).text, NULL,
		"no directive has this environment variable%s%s%s",
		nearest != NULL ? "; did you mean " : "",
		nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
	buf_fini(&b);
}

/* An earlier variable of this kind that sets the same directive, in another
 * spelling. */
static const char *
find_spelling(char *const *env, char *const *at, const struct directive *row,
	enum directive_variable kind)
{
	struct str name = {*at, strcspn(*at, "=")};
	enum directive_variable other;

	for (; env != at; env++) {
		struct str s = {*env, strcspn(*env, "=")};

		if ((*env)[s.len] == '=' && (*env)[s.len + 1] != '\0' &&
			!str_equal(s, name) &&
			directive_find_environment(s, &other) == row &&
			other == kind)
			return *env;
	}
	return NULL;
}

/* Neither spelling is the stronger one, and the order in an environment is
 * nobody's intention: they agree or it is a mistake. */
static bool
is_said_already(struct config *c, char *const *env, char *const *at,
	const struct directive *row, enum directive_variable kind,
	const char *where)
{
	const char *value = strchr(*at, '=') + 1;
	const char *other =
		*value != '\0' ? find_spelling(env, at, row, kind) : NULL;

	if (other == NULL)
		return false;
	if (strcmp(strchr(other, '=') + 1, value) != 0)
		config_fail(c, where, row->name,
			"%.*s is the same directive, with another value; set "
			"only one of the two",
			(int)strcspn(other, "="), other);
	return true;
}

void
config_read_environment(struct config *c, char *const *env)
{
	char *const *all = env;

	for (; *env != NULL; env++) {
		const char *equals = strchr(*env, '=');
		const struct directive *row;
		const char *name;
		struct str s;
		enum directive_variable kind;

		if (equals == NULL)
			continue;
		s = (struct str){*env, (size_t)(equals - *env)};
		row = directive_find_environment(s, &kind);
		if (row == NULL && strncmp(*env, "WSGID_", 6) != 0) {
			foreign_variable(c, s, equals + 1);
			continue;
		}
		name = arena_copy(&c->priv->arena, s.p, s.len);
		if (name == NULL)
			config_no_memory(c);
		else if (row == NULL && is_of_a_service(name, equals + 1))
			continue;
		else if (row == NULL)
			unknown_variable(c, name);
		else if (row->type == &value_listen && kind == VARIABLE_FOREIGN)
			c->priv->port = arena_copy(&c->priv->arena, equals + 1,
				strlen(equals + 1));
		else if (!is_said_already(c, all, env, row, kind, name))
			apply_variable(c, row, kind, equals + 1, name);
	}
}
