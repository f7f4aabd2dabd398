/*
 * config.c - a configuration's life, its messages, and who may set what.
 *
 * Every value remembers how strong the source was that set it; a weaker one
 * does not change it any more, so it does not matter in which order the
 * sources are read.  A weaker one is still parsed: a mistake in a file is a
 * mistake even where an option covers it up.
 */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "config/config_priv.h"
#include "config/lexer.h"

static void
add_message(struct config *c, bool fatal, struct buf *text)
{
	struct config_private *priv = c->priv;
	const char *copy = buf_failed(text) ? NULL
					    : arena_copy(&priv->arena,
						      text->data, text->len);

	if (priv->n_messages == priv->room) {
		size_t room = priv->room != 0 ? priv->room * 2 : 16;
		struct config_message *more =
			reallocarray(priv->messages, room, sizeof(*more));

		if (more == NULL)
			copy = NULL;
		else {
			priv->messages = more;
			priv->room = room;
		}
	}
	if (copy == NULL) {
		config_no_memory(c);
		return;
	}
	priv->messages[priv->n_messages++] =
		(struct config_message){.fatal = fatal, .text = copy};
}

static void
say(struct config *c, bool fatal, const char *where, const char *directive,
	const char *format, va_list args)
{
	struct buf b = {0};

	if (*where != '\0')
		buf_printf(&b, "%s: ", where);
	if (directive != NULL)
		buf_printf(&b, "%s: ", directive);
	buf_vprintf(&b, format, args);
	add_message(c, fatal, &b);
	buf_fini(&b);
}

void
config_warn(struct config *c, const char *where, const char *directive,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, false, where, directive, format, args);
	va_end(args);
}

void
config_fail(struct config *c, const char *where, const char *directive,
	const char *format, ...)
{
	va_list args;

	if (c->priv->too_many)
		return;
	va_start(args, format);
	say(c, true, where, directive, format, args);
	va_end(args);
	if (++c->priv->n_fatal < CONFIG_MISTAKES)
		return;
	c->priv->too_many = true;
	config_warn(c, where, NULL,
		"that makes %d mistakes; the rest is not read",
		CONFIG_MISTAKES);
}

void
config_no_memory(struct config *c)
{
	c->priv->no_memory = true;
}

const struct config_message *
config_message(const struct config *c, size_t i)
{
	static const struct config_message no_memory = {
		.fatal = true,
		.text = "memory is short; the configuration could not be read",
	};

	if (i < c->priv->n_messages)
		return &c->priv->messages[i];
	if (i == c->priv->n_messages && c->priv->no_memory)
		return &no_memory;
	return NULL;
}

struct config_setting *
config_setting_of(const struct config *c, const struct directive *row)
{
	return &c->priv->settings[directive_index(row)];
}

/* Room for one more element behind n, a power of two at a time.  NULL when
 * memory is short. */
static void *
grow(struct config *c, const void *old, size_t n, size_t size)
{
	void *more;

	if ((n & (n - 1)) != 0)
		return (void *)(uintptr_t)old;
	more = arena_alloc(&c->priv->arena, (n != 0 ? 2 * n : 1) * size);
	if (more != NULL && n != 0)
		memcpy(more, old, n * size);
	return more;
}

static void
add_listen(struct config *c, const struct config_listen *listen)
{
	struct config_listen *listens =
		grow(c, c->listens, c->n_listens, sizeof(*listens));

	if (listens == NULL) {
		config_no_memory(c);
		return;
	}
	listens[c->n_listens++] = *listen;
	c->listens = listens;
}

static void
add_access_log(struct config *c, const struct config_access_log *log,
	const char *where)
{
	struct config_private *priv = c->priv;
	size_t n = c->n_access_logs;
	struct config_access_log *logs =
		grow(c, c->access_logs, n, sizeof(*logs));
	const char **wheres =
		grow(c, priv->access_log_wheres, n, sizeof(*wheres));

	if (logs == NULL || wheres == NULL) {
		config_no_memory(c);
		return;
	}
	logs[n] = *log;
	wheres[n] = where;
	c->access_logs = logs;
	priv->access_log_wheres = wheres;
	c->n_access_logs++;
}

static void
add_networks(struct config *c, struct config_networks *to,
	const struct config_networks *more)
{
	size_t n = to->n + more->n;

	if (n > to->room) {
		struct network *list = arena_alloc(
			&c->priv->arena, 2 * n * sizeof(*list));

		if (list == NULL) {
			config_no_memory(c);
			return;
		}
		if (to->n > 0)
			memcpy(list, to->list, to->n * sizeof(*list));
		to->list = list;
		to->room = 2 * n;
	}
	if (more->n > 0)
		memcpy(to->list + to->n, more->list,
			more->n * sizeof(*more->list));
	to->n = n;
}

/* All of them are one value in the end, for the children. */
static void
add_texts(struct config *c, const struct directive_input *in, const char **to,
	const char *more)
{
	struct buf b = {0};
	const char *all;

	buf_printf(&b, "%s,%s", *to, more);
	all = arena_copy(&c->priv->arena, buf_text(&b), b.len);
	if (buf_failed(&b) || all == NULL)
		config_no_memory(c);
	else if (b.len > VALUE_BYTES)
		config_fail(c, in->where, in->row->name,
			"with those before it the value is longer than %d "
			"bytes",
			VALUE_BYTES);
	else
		*to = all;
	buf_fini(&b);
}

/* Formats are told apart by their nickname, each with a source of its own. */
static void
add_nickname(struct config *c, enum config_source source,
	const struct config_log_format *format, const char *where)
{
	struct config_nickname **n = &c->priv->nicknames;

	while (*n != NULL &&
		strcasecmp((*n)->format.nickname, format->nickname) != 0)
		n = &(*n)->next;
	if (*n == NULL)
		*n = arena_alloc(&c->priv->arena, sizeof(**n));
	if (*n == NULL) {
		config_no_memory(c);
		return;
	}
	if (source < (*n)->source)
		return;
	(*n)->format = *format;
	(*n)->source = source;
	(*n)->where = where;
}

static void
store(struct config *c, enum config_source source,
	const struct directive_input *in, const union directive_value *value)
{
	const struct directive *row = in->row;
	struct config_setting *setting = config_setting_of(c, row);
	bool stronger = source > setting->source;
	void *target = (char *)c + row->offset;

	if (row->type->storage == STORED_LOG_FORMATS) {
		add_nickname(c, source, &value->log_format, in->where);
		return;
	}
	if (source < setting->source)
		return;
	setting->source = source;
	setting->where = in->where;
	switch (row->type->storage) {
	case STORED_LISTENS:
		if (stronger)
			c->n_listens = 0;
		add_listen(c, &value->listen);
		break;
	case STORED_ACCESS_LOGS:
		if (stronger)
			c->n_access_logs = 0;
		add_access_log(c, &value->access_log, in->where);
		break;
	case STORED_NETWORKS:
		if (stronger)
			*(struct config_networks *)target =
				(struct config_networks){0};
		add_networks(c, target, &value->networks);
		break;
	case STORED_TEXTS:
		if (!stronger && *(const char **)target != NULL) {
			add_texts(c, in, target, value->text);
			break;
		}
		memcpy(target, value, row->type->size);
		break;
	case STORED_PLAIN:
	case STORED_LOG_FORMATS:
		memcpy(target, value, row->type->size);
		break;
	}
	if (row->offset == offsetof(struct config, application))
		c->priv->application_base = in->base;
}

/* What a source gives as a value is none. */
static void
misread(struct config *c, enum config_source source, const char *where,
	const char *directive, const char *sentence)
{
	if (source == CONFIG_FROM_COMMAND_LINE)
		c->priv->misread_option = true;
	config_fail(c, where, directive, "%s", sentence);
}

bool
config_misread_option(const struct config *c)
{
	return c->priv->misread_option;
}

void
config_apply(struct config *c, enum config_source source,
	const struct directive_input *in)
{
	struct directive_input whole = *in;
	union directive_value value;
	struct err err = {0};
	int rc;

	if (source > CONFIG_FROM_DEFAULT &&
		source == config_setting_of(c, in->row)->source)
		whole.before = (const char *)c + in->row->offset;
	memset(&value, 0, sizeof(value));
	rc = in->row->type->parse(&whole, &value, &err);
	if (rc == -ENOMEM)
		config_no_memory(c);
	else if (rc < 0)
		misread(c, source, in->where, in->row->name, err.text);
	else
		store(c, source, in, &value);
}

void
config_apply_text(struct config *c, enum config_source source,
	const struct directive *row, const char *text, const char *where)
{
	struct arena *arena = &c->priv->arena;
	struct lexer_words words = {.n = 1, .word = &text};
	struct err err = {0};
	int rc = 0;

	if (row->type->many_words)
		rc = lexer_split(&words, text, arena, NULL, NULL, &err);
	where = arena_copy(arena, where, strlen(where));
	if (rc == -ENOMEM || where == NULL) {
		config_no_memory(c);
		return;
	}
	if (rc < 0) {
		misread(c, source, where, row->name, err.text);
		return;
	}
	config_apply(c, source,
		&(struct directive_input){
			.row = row,
			.words = words.word,
			.n = words.n,
			.where = where,
			.arena = arena,
		});
}

void
config_set(struct config *c, const char *directive, const char *value,
	const char *where)
{
	const struct directive *row = directive_find(directive);

	assert(row != NULL);
	config_apply_text(c, CONFIG_FROM_COMMAND_LINE, row, value, where);
}

bool
config_keep_text(
	struct config *c, const char *directive, const struct config *from)
{
	const struct directive *row = directive_find(directive);
	const char **text, *kept;

	assert(row != NULL);
	text = (const char **)(void *)((char *)c + row->offset);
	kept = *(const char *const *)(const void *)((const char *)from +
						    row->offset);
	if (*text == kept ||
		(*text != NULL && kept != NULL && strcmp(*text, kept) == 0))
		return false;
	*text = kept != NULL ? arena_copy(&c->priv->arena, kept, strlen(kept))
			     : NULL;
	if (kept != NULL && *text == NULL)
		config_no_memory(c);
	*config_setting_of(c, row) = (struct config_setting){
		.source = config_setting_of(from, row)->source,
		.where = "the start",
	};
	return true;
}

/* Where a directive was set, for a message; "" for a default. */
static const char *
where_set(const struct config *c, const struct directive *row)
{
	const struct config_setting *setting = config_setting_of(c, row);

	return setting->source > CONFIG_FROM_DEFAULT ? setting->where : "";
}

const char *
config_where(const struct config *c, const char *directive)
{
	const struct directive *row = directive_find(directive);

	assert(row != NULL);
	return where_set(c, row);
}

const char *
config_where_access_log(const struct config *c, size_t i)
{
	return c->priv->access_log_wheres[i];
}

void
config_blame(struct config *c, const char *directive, const char *sentence)
{
	const struct directive *row = directive_find(directive);

	assert(row != NULL);
	config_fail(c, where_set(c, row), row->name, "%s", sentence);
}

void
config_remark(struct config *c, const char *directive, const char *sentence)
{
	const struct directive *row = directive_find(directive);

	assert(row != NULL);
	config_warn(c, where_set(c, row), row->name, "%s", sentence);
}

void
config_blame_listen(struct config *c, size_t i, const char *sentence)
{
	misread(c, config_setting_of(c, directive_find("Listen"))->source,
		c->listens[i].where, NULL, sentence);
}

void
config_blame_at(struct config *c, const char *where, const char *directive,
	const char *sentence)
{
	config_fail(c, where, directive, "%s", sentence);
}

void
config_blame_both(struct config *c, size_t earlier, size_t later)
{
	const struct config_listen *a = &c->listens[earlier];
	const struct config_listen *b = &c->listens[later];
	bool is_file = strncmp(b->address, "unix:", 5) == 0;

	config_fail(c, b->where, directive_find("Listen")->name,
		"%s and %s, from %s, exclude each other: %s; leave one of them "
		"out",
		value_show(b->address).text, value_show(a->address).text,
		a->where,
		is_file ? "it is the same socket"
			: "one is the other or has it in it, as * has every "
			  "address and [::] has those of IPv4, too");
}

bool
config_listens_by_default(const struct config *c)
{
	return config_setting_of(c, directive_find("Listen"))->source <
	       CONFIG_FROM_FILE;
}

static const struct config_nickname *
nickname_at(const struct config *c, size_t i)
{
	const struct config_nickname *n = c->priv->nicknames;

	while (n != NULL && i-- > 0)
		n = n->next;
	return n;
}

const char *
config_log_format(const struct config *c, size_t i)
{
	const struct config_nickname *n = nickname_at(c, i);

	return n != NULL ? n->format.format : NULL;
}

void
config_blame_log_format(struct config *c, size_t i, const char *sentence)
{
	const struct config_nickname *n = nickname_at(c, i);

	misread(c, n->source, n->where, "LogFormat", sentence);
}

void
config_blame_access_log(struct config *c, size_t i, const char *sentence)
{
	misread(c, config_setting_of(c, directive_find("CustomLog"))->source,
		c->priv->access_log_wheres[i], "CustomLog", sentence);
}

/* Defaults go the way of all other values, so a wrong one cannot exist. */
static void
apply_defaults(struct config *c)
{
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);

		if (row->initial != NULL)
			config_apply_text(c, CONFIG_FROM_DEFAULT, row,
				row->initial, "default");
	}
	assert(c->priv->n_messages == 0);
}

struct config *
config_create(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->priv = calloc(1, sizeof(*c->priv));
	if (c->priv == NULL) {
		free(c);
		return NULL;
	}
	c->priv->settings = arena_alloc(&c->priv->arena,
		directive_count() * sizeof(struct config_setting));
	if (c->priv->settings != NULL)
		apply_defaults(c);
	if (c->priv->settings == NULL || c->priv->no_memory) {
		config_destroy(c);
		return NULL;
	}
	return c;
}

void
config_destroy(struct config *c)
{
	if (c == NULL)
		return;
	free(c->priv->messages);
	arena_fini(&c->priv->arena);
	free(c->priv);
	free(c);
}
