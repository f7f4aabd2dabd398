/*
 * format.c - LogFormat, compiled.  See format.h.
 *
 * A program is a list of steps: literal text and items.  What an item may
 * look like is in the table of items.c; here is only the grammar: "%", then
 * in any order "!", "<", ">", commas, statuses and {argument}, then a letter.
 * "<" and ">" choose between the requests of an internal redirect; there are
 * none here, so both are the same.
 */
#include "accesslog/format.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/format_priv.h"
#include "base/defs.h"
#include "base/err.h"

struct log_format {
	struct arena arena; /* everything below lives there */
	struct log_op *ops;
	size_t n_ops;
	bool wants_response_headers;
	bool is_json;
};

/* The item that is being compiled. */
struct parser {
	struct log_format *f;
	const char *text;  /* all of it */
	const char *start; /* of the item, its "%" */
	const char *p;
	struct err *err;

	struct str argument; /* p is NULL where there is none */
	int *statuses;       /* room for the text's length */
	size_t n_statuses;
	bool negated;
	bool quoted; /* the literals have an open quotation mark */
};

static int
refuse(const struct parser *c, const char *what)
{
	const char *end = *c->p != '\0' ? c->p + 1 : c->p;

	return err_setx(c->err, EINVAL, "item \"%.*s\" at character %zu %s",
		(int)(end - c->start), c->start,
		(size_t)(c->start - c->text) + 1, what);
}

static int
short_of_memory(const struct parser *c)
{
	return err_set(c->err, ENOMEM, "LogFormat");
}

static int
parse_status(struct parser *c)
{
	int status = 0, digits = 0;

	while (*c->p >= '0' && *c->p <= '9') {
		if (++digits > 3)
			return refuse(c, "has a status that is no number "
					 "from 100 to 999");
		status = status * 10 + (*c->p++ - '0');
	}
	if (status < 100) {
		c->p--;
		return refuse(
			c, "has a status that is no number from 100 to 999");
	}
	c->statuses[c->n_statuses++] = status;
	return 0;
}

static int
parse_argument(struct parser *c)
{
	const char *brace = strchr(c->p, '}');

	if (c->argument.p != NULL)
		return refuse(c, "has a second argument");
	if (brace == NULL)
		return refuse(c, "has no \"}\" behind its argument");
	c->argument = (struct str){c->p + 1, (size_t)(brace - c->p) - 1};
	c->p = brace + 1;
	return 0;
}

/* Everything between "%" and the letter. */
static int
parse_modifiers(struct parser *c)
{
	int rc = 0;

	while (rc == 0) {
		switch (*c->p) {
		case '!':
			c->negated = true;
			c->p++;
			break;
		case '<':
		case '>':
		case ',':
			c->p++;
			break;
		case '{':
			rc = parse_argument(c);
			break;
		case '0' ... '9':
			rc = parse_status(c);
			break;
		case '\0':
			return refuse(c, "ends before its letter");
		default:
			if (c->negated && c->n_statuses == 0)
				return refuse(c, "has \"!\" and no status");
			return 0;
		}
	}
	return rc;
}

static bool
matches(const struct log_item *item, struct str argument)
{
	if (item->argument == LOG_ARGUMENT_WORD)
		return str_equal_nocase(str_of(item->word), argument);
	return item->argument == LOG_ARGUMENT_TIME || argument.len > 0;
}

/* The words that the item's letter takes, for a sentence. */
static int
refuse_argument(const struct parser *c)
{
	char what[128] = "takes no argument";
	size_t len = 0;

	for (size_t i = 0; i < log_n_items; i++) {
		const struct log_item *item = &log_items[i];

		if (item->letter != *c->p || item->word[0] == '\0')
			continue;
		len += (size_t)snprintf(what + len, sizeof(what) - len,
			"%s{%s}", len == 0 ? "takes no argument but " : ", ",
			item->word);
		assert(len < sizeof(what)); /* the table is ours */
	}
	return refuse(c, what);
}

/* No row fits the item.  Say what would. */
static int
refuse_item(const struct parser *c)
{
	static const char only_apaches[] = "efFnRx^";

	for (size_t i = 0; i < log_n_items; i++) {
		if (log_items[i].letter != *c->p)
			continue;
		if (log_items[i].argument == LOG_ARGUMENT_NAME)
			return refuse(c, "needs a name in braces");
		return refuse_argument(c);
	}
	if (strchr(only_apaches, *c->p) != NULL)
		return refuse(c, "is known to Apache, but has no meaning here");
	return refuse(c, "is not known; a percent sign is written \"%%\"");
}

static const struct log_item *
find_item(const struct parser *c)
{
	for (size_t i = 0; i < log_n_items; i++)
		if (log_items[i].letter == *c->p &&
			matches(&log_items[i], c->argument))
			return &log_items[i];
	return NULL;
}

static int
compile_argument(
	struct parser *c, struct log_op *op, const struct log_item *item)
{
	struct arena *a = &c->f->arena;
	int rc;

	if (item->argument == LOG_ARGUMENT_TIME) {
		rc = log_time_create(&op->time, a, c->argument);
		if (rc == -EINVAL)
			return refuse(c, "gives a text that is too long");
		if (rc < 0)
			return short_of_memory(c);
		op->late = log_time_is_late(op->time);
		return 0;
	}
	if (c->argument.len == 0)
		return 0;
	op->text.p = arena_copy(a, c->argument.p, c->argument.len);
	op->text.len = c->argument.len;
	return op->text.p == NULL ? short_of_memory(c) : 0;
}

static int
keep_statuses(struct parser *c, struct log_op *op)
{
	size_t size = c->n_statuses * sizeof(c->statuses[0]);
	int *copy;

	if (size == 0)
		return 0;
	copy = arena_alloc(&c->f->arena, size);
	if (copy == NULL)
		return short_of_memory(c);
	memcpy(copy, c->statuses, size);
	op->statuses = copy;
	op->n_statuses = c->n_statuses;
	op->negated = c->negated;
	return 0;
}

static int
compile_item(struct parser *c)
{
	struct log_op *op = &c->f->ops[c->f->n_ops++];
	const struct log_item *item;
	int rc;

	c->start = c->p++;
	c->argument = (struct str){NULL, 0};
	c->n_statuses = 0;
	c->negated = false;
	rc = parse_modifiers(c);
	if (rc < 0)
		return rc;
	item = find_item(c);
	if (item == NULL)
		return refuse_item(c);

	op->write = item->write;
	op->late = log_is_late(item->write);
	op->quoted = c->quoted;
	if (item->write == log_write_response_header)
		c->f->wants_response_headers = true;
	rc = compile_argument(c, op, item);
	if (rc == 0)
		rc = keep_statuses(c, op);
	c->p++;
	return rc;
}

/* The character that a backslash and c stand for; '\0' when for nothing but
 * themselves. */
static char
unescape(char c)
{
	switch (c) {
	case '\\':
		return '\\';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* Literal text up to the next item. */
static int
compile_literal(struct parser *c)
{
	struct log_op *op = &c->f->ops[c->f->n_ops++];
	size_t len = strcspn(c->p, "%");
	const char *end = c->p + len;
	char *to = arena_copy(&c->f->arena, c->p, len);

	if (to == NULL)
		return short_of_memory(c);
	op->write = log_write_literal;
	op->text.p = to;
	while (c->p < end) {
		char special = *c->p == '\\' && c->p + 1 < end
				       ? unescape(c->p[1])
				       : '\0';

		*to++ = special != '\0' ? special : *c->p;
		c->p += special != '\0' ? 2 : 1;
	}
	op->text.len = (size_t)(to - op->text.p);
	c->quoted = log_json_quotes(op->text, c->quoted);
	return 0;
}

/* Items and the texts between them are at most as many as characters. */
static int
compile(struct parser *c)
{
	size_t room = strlen(c->text);
	int rc = 0;

	c->f->ops = arena_alloc(&c->f->arena, room * sizeof(c->f->ops[0]));
	c->statuses = calloc(room + 1, sizeof(c->statuses[0]));
	if (c->f->ops == NULL || c->statuses == NULL)
		rc = short_of_memory(c);
	while (rc == 0 && *c->p != '\0')
		rc = *c->p == '%' ? compile_item(c) : compile_literal(c);
	free(c->statuses);
	return rc;
}

int
log_format_compile(struct log_format **ret, const char *text, struct err *err)
{
	struct log_format *f = calloc(1, sizeof(*f));
	struct parser c = {.f = f, .text = text, .p = text, .err = err};
	int rc;

	if (f == NULL)
		return short_of_memory(&c);
	f->is_json = log_is_json(text);
	rc = compile(&c);
	if (rc < 0) {
		log_format_destroy(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void
log_format_destroy(struct log_format *f)
{
	if (f == NULL)
		return;
	arena_fini(&f->arena);
	free(f);
}

bool
log_format_wants_response_headers(const struct log_format *f)
{
	return f->wants_response_headers;
}

static bool
applies(const struct log_op *op, int status)
{
	if (op->n_statuses == 0)
		return true;
	for (size_t i = 0; i < op->n_statuses; i++)
		if (op->statuses[i] == status)
			return !op->negated;
	return op->negated;
}

static void
write_item(const struct log_format *f, const struct log_op *op,
	const struct record *record, struct buf *out)
{
	size_t start = out->len;

	if (applies(op, record->status))
		op->write(op, record, out);
	else
		buf_add_char(out, '-');
	if (f->is_json && op->write != log_write_literal)
		log_make_json(out, start, op->quoted);
}

/* All that was added behind start is there, or none of it. */
static int
end(struct buf *out, size_t start)
{
	if (LIKELY(!buf_failed(out)))
		return 0;
	out->len = start;
	out->failed = false; /* there may be memory for the next one */
	return -ENOMEM;
}

int
log_format_write(const struct log_format *f, const struct record *record,
	struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < f->n_ops; i++)
		write_item(f, &f->ops[i], record, out);
	buf_add_char(out, '\n');
	return end(out, start);
}

/* --- in two steps ------------------------------------------------------------- */

/* No line has a NUL in it, so it stands for what is not known yet, and for the
 * line's end. */
static bool
waits(const struct log_op *op, const struct record *record)
{
	return op->late && applies(op, record->status);
}

int
log_format_begin(const struct log_format *f, const struct record *record,
	struct buf *held)
{
	size_t start = held->len;

	for (size_t i = 0; i < f->n_ops; i++) {
		if (waits(&f->ops[i], record))
			buf_add_char(held, '\0');
		else
			write_item(f, &f->ops[i], record, held);
	}
	buf_add_char(held, '\0');
	return end(held, start);
}

/* What is before the next NUL, which is cut off with it. */
static struct str
next_known(struct str *held)
{
	struct str known = {held->p, strnlen(held->p, held->len)};
	size_t cut = known.len < held->len ? known.len + 1 : known.len;

	held->p += cut;
	held->len -= cut;
	return known;
}

int
log_format_finish(const struct log_format *f, struct str *held,
	const struct record *record, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < f->n_ops; i++) {
		if (!waits(&f->ops[i], record))
			continue;
		buf_add_str(out, next_known(held));
		write_item(f, &f->ops[i], record, out);
	}
	buf_add_str(out, next_known(held));
	buf_add_char(out, '\n');
	return end(out, start);
}
