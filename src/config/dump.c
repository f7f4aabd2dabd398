/*
 * dump.c - a configuration as text, and the list of directives.
 *
 * What config_dump writes is what a child reads, so it must say everything:
 * defaults too, and nothing that depends on where it is read.
 */
#include <errno.h>

#include "config/config_priv.h"
#include "config/values_priv.h"

/* " owner=name", as one word. */
static void
write_pair(const char *key, const char *text, struct buf *out)
{
	struct buf word = {0};

	buf_printf(&word, "%s=%s", key, text);
	buf_add_char(out, ' ');
	if (buf_failed(&word))
		out->failed = true;
	else
		value_write_word(buf_text(&word), out);
	buf_fini(&word);
}

static void
write_listens(const struct config *c, const char *name, struct buf *out)
{
	for (size_t i = 0; i < c->n_listens; i++) {
		const struct config_listen *listen = &c->listens[i];

		buf_printf(out, "%s ", name);
		value_write_word(listen->address, out);
		if (listen->mode >= 0)
			buf_printf(out, " mode=%04o", listen->mode);
		if (listen->owner != NULL)
			write_pair("owner", listen->owner, out);
		if (listen->group != NULL)
			write_pair("group", listen->group, out);
		if (listen->proxy_protocol != c->proxy_protocol)
			buf_printf(out, " ProxyProtocol=%s",
				value_proxy_protocol(listen->proxy_protocol));
		if (listen->https)
			buf_add_text(out, " Scheme=https");
		buf_add_char(out, '\n');
	}
}

static void
write_access_logs(const struct config *c, const char *name, struct buf *out)
{
	for (size_t i = 0; i < c->n_access_logs; i++) {
		buf_printf(out, "%s ", name);
		value_write_word(c->access_logs[i].target, out);
		buf_add_char(out, ' ');
		value_write_word(c->access_logs[i].format, out);
		buf_add_char(out, '\n');
	}
}

static void
write_plain(
	const struct config *c, const struct directive *row, struct buf *out)
{
	struct buf value = {0};

	row->type->write(row, (const char *)c + row->offset, &value);
	if (buf_failed(&value))
		out->failed = true;
	else if (value.len > 0)
		buf_printf(out, "%s %s\n", row->name, buf_text(&value));
	buf_fini(&value);
}

/* Each network is a word. */
static void
write_networks(
	const struct config *c, const struct directive *row, struct buf *out)
{
	const struct config_networks *all =
		(const void *)((const char *)c + row->offset);

	for (size_t i = 0; i < all->n; i += VALUE_WORDS) {
		struct config_networks some = {
			.list = all->list + i,
			.n = all->n - i,
		};

		if (some.n > VALUE_WORDS)
			some.n = VALUE_WORDS;
		buf_printf(out, "%s ", row->name);
		row->type->write(row, &some, out);
		buf_add_char(out, '\n');
	}
}

int
config_dump(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);

		switch (row->type->storage) {
		case STORED_LISTENS:
			write_listens(c, row->name, out);
			break;
		case STORED_ACCESS_LOGS:
			write_access_logs(c, row->name, out);
			break;
		case STORED_LOG_FORMATS:
			break; /* CustomLog has the formats themselves */
		case STORED_NETWORKS:
			write_networks(c, row, out);
			break;
		case STORED_TEXTS:
		case STORED_PLAIN:
			write_plain(c, row, out);
			break;
		}
	}
	return buf_failed(out) ? -ENOMEM : 0;
}

static void
list_names(const struct directive *row, struct buf *out)
{
	buf_add_text(out, row->name);
	if (row->alias != NULL)
		buf_printf(out, " (also %s)", row->alias);
	buf_add_text(out, "\n    ");
	if (row->short_option != NULL)
		buf_printf(out, "%s, ", row->short_option);
	for (size_t i = 1; i < DIRECTIVE_OPTIONS; i++)
		if (directive_option(row, i) != NULL)
			buf_printf(out, "%s, ", directive_option(row, i));
	buf_printf(out, "%s %s\n    ", row->option, row->type->metavar);
	for (size_t i = 0; i < DIRECTIVE_OPTIONS; i++) {
		const char *option = directive_option(row, i);

		if (option == NULL)
			continue;
		buf_add_text(out, i > 0 ? ", " : "");
		directive_environment(option, out);
	}
	if (row->other_environment != NULL)
		buf_printf(out, ", %s", row->other_environment);
	buf_add_char(out, '\n');
}

static void
list_range(const struct directive *row, struct buf *out)
{
	if (row->words != NULL) {
		buf_add_text(out, "; one of");
		for (const char *const *w = row->words; *w != NULL; w++)
			buf_printf(out, " %s", *w);
	} else if (row->min != 0 || row->max != 0) {
		buf_add_text(out, "; ");
		value_write_range(row, out);
	}
}

int
config_list_directives(struct buf *out)
{
	for (size_t i = 0; i < directive_count(); i++) {
		const struct directive *row = directive_at(i);

		if (row->where == DIRECTIVE_DUMPED)
			continue;
		list_names(row, out);
		buf_printf(out, "    default %s",
			row->initial != NULL ? row->initial : "none");
		list_range(row, out);
		buf_printf(out, "%s\n    %s\n\n",
			row->change == DIRECTIVE_AT_RESTART
				? "; a change needs a restart"
				: "",
			row->help);
	}
	return buf_failed(out) ? -ENOMEM : 0;
}
