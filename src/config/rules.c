/*
 * rules.c - what has to hold between directives; one rule, one function.
 *
 * Those about processes and threads are in processes.c.  A rule that corrects
 * what somebody wrote says so; one that fills in an "auto", or makes room
 * around one, does not: the shipped defaults are silent on every machine.
 * Applied to its own result no rule changes anything, or a child would see
 * other values than its master.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config_priv.h"
#include "config/nearest.h"

enum {
	LISTENERS_MAX = 1000,
	BUFFER_LEAST = 512,
};

/* ---- The network -------------------------------------------------------- */

/* As in Apache: less would only be a mistake in the unit. */
static void
check_buffer(struct config *c, size_t offset, long size)
{
	const struct directive *row = directive_of(offset);

	if (size > 0 && size < BUFFER_LEAST)
		config_fail(c, config_setting_of(c, row)->where, row->name,
			"%ld bytes are too few; write %d or more, or 0 to "
			"leave it to the system",
			size, BUFFER_LEAST);
}

static void
check_buffers(struct config *c)
{
	check_buffer(c, offsetof(struct config, send_buffer_size),
		c->send_buffer_size);
	check_buffer(c, offsetof(struct config, receive_buffer_size),
		c->receive_buffer_size);
}

/* What platforms say, where nobody else says anything.  Else it may mean
 * something to another program, so that nothing in it is wrong. */
static void
settle_port(struct config *c)
{
	const char *text = c->priv->port;
	unsigned long long port;
	char address[8];

	if (text == NULL || *text == '\0' || !config_listens_by_default(c))
		return;
	if (str_to_u64(str_of(text), &port) < 0 || port < 1 || port > 65535) {
		config_fail(c, "PORT", NAME_OF(listens),
			"\"%s\" is no port, a number from 1 to 65535; unset "
			"it, or set WSGID_LISTEN, which is stronger",
			value_show(text).text);
		return;
	}
	snprintf(address, sizeof(address), "%u", (unsigned)port);
	config_apply_text(c, CONFIG_FROM_PORT,
		directive_of(offsetof(struct config, listens)), address,
		"PORT");
}

void
config_forget_port(struct config *c)
{
	c->priv->port = NULL;
}

/* The kernel would say "Address already in use", of ourselves. */
static void
check_listens(struct config *c)
{
	if (c->n_listens > LISTENERS_MAX) {
		config_fail(c, c->listens[LISTENERS_MAX].where,
			NAME_OF(listens), "more than %d addresses are given",
			LISTENERS_MAX);
		return;
	}
	for (size_t i = 1; i < c->n_listens; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->listens[i].address,
				    c->listens[j].address) == 0) {
				config_fail(c, c->listens[i].where,
					NAME_OF(listens),
					"%s is there already, from %s",
					value_show(c->listens[i].address).text,
					c->listens[j].where);
				break;
			}
}

/* Anybody could claim to come from anywhere. */
static void
settle_proxy_protocol(struct config *c)
{
	bool trusts = c->trusted_proxies.n > 0;
	const char *where = SETTING(c, proxy_protocol)->where;

	for (size_t i = 0; i < c->n_listens; i++) {
		struct config_listen *l = &c->listens[i];

		if (l->proxy_protocol < 0)
			l->proxy_protocol = c->proxy_protocol;
		else if (l->proxy_protocol != CONFIG_PROXY_OFF)
			where = l->where;
		if (l->proxy_protocol == CONFIG_PROXY_OFF || trusts)
			continue;
		config_fail(c, where, NAME_OF(proxy_protocol),
			"nobody is trusted to say where a client comes from; "
			"write the balancer's address, as in \"%s 10.0.0.2\"",
			NAME_OF(trusted_proxies));
		return;
	}
}

/* ---- The application ---------------------------------------------------- */

/* "shop.wsgi" is a script where there is such a file, and else the module
 * wsgi of the package shop, as Django lays it out. */
static bool
is_there(const char *path)
{
	AUTO_FREE char *file = strndup(path, value_module_length(path));

	return file != NULL && access(file, F_OK) == 0;
}

/* A script is looked up where a module is: from ChDir where that is given,
 * else from where it was named.  From here on it has a "/" in it and a
 * module has none. */
static void
settle_application(struct config *c)
{
	struct err err = {0};
	const char *base = c->directory, *path;
	int rc;

	if (c->application == NULL || !value_may_be_script(c->application))
		return;
	if (base == NULL)
		base = c->priv->application_base;
	rc = value_absolute(&path, &c->priv->arena, base, c->application, &err);
	if (rc == -ENOMEM)
		config_no_memory(c);
	else if (rc < 0)
		config_fail(c, SETTING(c, application)->where,
			NAME_OF(application), "%s", err.text);
	else if (strchr(c->application, '/') != NULL || is_there(path))
		c->application = path;
}

/* What a template has imported its children cannot watch. */
static void
settle_reloading(struct config *c)
{
	if (!c->reload || !c->preload_application)
		return;
	config_warn(c, SETTING(c, reload)->where, NAME_OF(reload),
		"On goes without %s, which is Off now",
		NAME_OF(preload_application));
	c->preload_application = false;
}

static void
settle_warm_up(struct config *c)
{
	struct str list = str_of(c->warm_up);
	bool none = false, some = false;

	while (list.p != NULL) {
		bool is = str_equal(str_next_element(&list), STR("none"));

		none |= is;
		some |= !is;
	}
	if (none && some)
		config_fail(c, SETTING(c, warm_up)->where, NAME_OF(warm_up),
			"none stands alone");
	if (none)
		c->warm_up = NULL;
}

/* ---- Logs --------------------------------------------------------------- */

static const struct config_log_format predefined[] = {
	{"common", "%h %l %u %t \"%r\" %>s %b"},
	{"combined", "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" "
		     "\"%{User-agent}i\""},
	{"json",
		"{\"time\":\"%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{zone}t\","
		"\"client\":\"%a\",\"host\":\"%v\",\"method\":\"%m\","
		"\"path\":\"%U\",\"query\":\"%q\",\"protocol\":\"%H\","
		"\"status\":%>s,\"bytes\":%B,\"bytes_out\":%O,"
		"\"duration_us\":%D,\"referer\":\"%{Referer}i\","
		"\"user_agent\":\"%{User-agent}i\","
		"\"request_id\":\"%L\",\"pid\":%P}"},
};

static const char *
format_of(const struct config *c, const char *nickname)
{
	const struct config_nickname *n = c->priv->nicknames;

	for (; n != NULL; n = n->next)
		if (strcasecmp(n->format.nickname, nickname) == 0)
			return n->format.format;
	for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
		if (strcasecmp(predefined[i].nickname, nickname) == 0)
			return predefined[i].format;
	return NULL;
}

static void
unknown_nickname(struct config *c, const char *where, const char *nickname)
{
	struct nearest s = nearest_begin(nickname);

	for (const struct config_nickname *n = c->priv->nicknames; n != NULL;
		n = n->next)
		nearest_consider(&s, n->format.nickname);
	for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
		nearest_consider(&s, predefined[i].nickname);
	if (s.best != NULL)
		config_fail(c, where, NAME_OF(access_logs),
			"no LogFormat has the nickname \"%s\"; did you mean "
			"%s?",
			value_show(nickname).text, value_show(s.best).text);
	else
		config_fail(c, where, NAME_OF(access_logs),
			"no LogFormat has the nickname \"%s\", and there is "
			"no item such as %%h in it that would make it a format",
			value_show(nickname).text);
}

/* The nickname of a CustomLog may be defined behind it. */
static void
settle_access_logs(struct config *c)
{
	if (c->n_access_logs > CONFIG_ACCESS_LOGS)
		config_fail(c, c->priv->access_log_wheres[CONFIG_ACCESS_LOGS],
			NAME_OF(access_logs), "more than %d logs are given",
			CONFIG_ACCESS_LOGS);
	for (size_t i = 0; i < c->n_access_logs; i++) {
		struct config_access_log *log = &c->access_logs[i];
		const char *format = strchr(log->format, '%') != NULL
					     ? log->format
					     : format_of(c, log->format);

		if (format != NULL)
			log->format = format;
		else
			unknown_nickname(
				c, c->priv->access_log_wheres[i], log->format);
	}
}

/* ---- The name ----------------------------------------------------------- */

/* "/etc/wsgid/shop.conf" gives "shop". */
static const char *
stem_of(struct config *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *begin = slash != NULL ? slash + 1 : path;
	const char *dot = strrchr(begin, '.');
	size_t len = dot != NULL && dot != begin ? (size_t)(dot - begin)
						 : strlen(begin);

	return arena_copy(&c->priv->arena, begin, len);
}

/* "127.0.0.1:8000" gives "8000", "unix:/run/shop.sock" gives "shop". */
static const char *
name_of_address(struct config *c, const char *address)
{
	const char *colon = strrchr(address, ':');
	const char *port = colon != NULL ? colon + 1 : address;

	if (strncmp(address, "unix:", 5) == 0)
		return stem_of(c, address + 5 + (address[5] == '@' ? 1 : 0));
	return arena_copy(&c->priv->arena, port, strlen(port));
}

static void
settle_name(struct config *c)
{
	if (c->name != NULL)
		return;
	c->name = c->file != NULL
			  ? stem_of(c, c->file)
			  : name_of_address(c, c->listens[0].address);
	if (c->name == NULL)
		config_no_memory(c);
}

int
config_name_after(struct config *c, const char *address)
{
	const char *name;

	if (c->file != NULL || !config_listens_by_default(c))
		return 0;
	name = name_of_address(c, address);
	if (name == NULL)
		return -ENOMEM;
	/* A hidden file's is none. */
	if (name[0] != '\0' && name[0] != '.')
		c->name = name;
	return 0;
}

/* ------------------------------------------------------------------------- */

int
config_settle(struct config *c, const struct config_machine *machine)
{
	settle_port(c);
	processes_settle(c, machine);
	buckets_settle(c, machine);
	check_listens(c);
	settle_proxy_protocol(c);
	check_buffers(c);
	settle_application(c);
	settle_reloading(c);
	settle_warm_up(c);
	settle_access_logs(c);
	settle_name(c);
	return c->priv->n_fatal > 0 || c->priv->no_memory ? -EINVAL : 0;
}
