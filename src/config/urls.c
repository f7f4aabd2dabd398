/*
 * urls.c - values that are paths or URLs of the application.
 *
 * Those of WSGIWarmUp are to be requests, so there is nothing in one that a
 * request line or a Host field could not have.  MountPoint is compared with what
 * a request's path means, and so has no percent codes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/ip.h"
#include "config/values.h"
#include "config/values_priv.h"

static const char none[] = "none";

/* RFC 3986 without "#", which no server is told, and without our comma. */
static const char in_host[] = "-._~!$&'()*+;=:[]";
static const char in_target[] = "-._~!$&'()*+;=:@/?";

static bool
is_code(struct str s)
{
	return s.len >= 3 && s.p[0] == '%' && isxdigit((unsigned char)s.p[1]) &&
	       isxdigit((unsigned char)s.p[2]);
}

/* The first byte that is neither a letter, a digit nor one of others; len where
 * there is none. */
static size_t
span(struct str s, const char *others)
{
	size_t n = 0;

	while (n < s.len && s.p[n] != '\0' &&
		(isalnum((unsigned char)s.p[n]) || strchr(others, s.p[n])))
		n++;
	return n;
}

static struct shown
show(struct str s)
{
	AUTO_FREE char *text = strndup(s.p, s.len);

	return value_show(text != NULL ? text : "");
}

static struct str
behind(struct str s, size_t n)
{
	return (struct str){s.p + n, s.len - n};
}

static int
check_target(struct str whole, struct str target, struct err *err)
{
	struct str rest = behind(target, span(target, in_target));

	while (rest.len > 0 && is_code(rest)) {
		rest = behind(rest, 3);
		rest = behind(rest, span(rest, in_target));
	}
	if (rest.len == 0)
		return 0;
	if (rest.p[0] == '#')
		return err_setx(err, EINVAL,
			"\"%s\": no server is told what stands behind \"#\"; "
			"leave it out",
			show(whole).text);
	return err_setx(err, EINVAL,
		"\"%s\" has a character in it that must be written as %%%02X",
		show(whole).text, (unsigned)(unsigned char)rest.p[0]);
}

/* "host", "host:port", "[::1]:port": where its name ends; 0 where it has
 * none. */
static size_t
name_length(struct str host)
{
	size_t len = 0;
	struct ip ip;

	if (host.len == 0 || host.p[0] != '[') {
		while (len < host.len && strchr(":[]", host.p[len]) == NULL)
			len++;
		return len;
	}
	while (len < host.len && host.p[len] != ']')
		len++;
	return len < host.len && ip_parse(&ip, (struct str){host.p + 1,
							len - 1}) == 0
		       ? len + 1
		       : 0;
}

/* Of a host that is one, with its port taken off. */
static bool
take_port(struct str host, struct str *ret)
{
	size_t len = name_length(host);
	unsigned long long port;

	*ret = (struct str){0};
	if (len == 0 || len == host.len)
		return len > 0;
	*ret = behind(host, len + 1);
	return host.p[len] == ':' && str_to_u64(*ret, &port) == 0 &&
	       port >= 1 && port <= 65535;
}

static bool
begins_with(struct str s, struct str with)
{
	return s.len >= with.len && strncasecmp(s.p, with.p, with.len) == 0;
}

int
config_read_url(struct config_url *ret, struct str text, struct err *err)
{
	struct config_url url = {.scheme = STR("http"), .target = text};
	size_t before = 0;

	if (begins_with(text, STR("https://"))) {
		url.scheme = STR("https");
		before = strlen("https://");
	} else if (begins_with(text, STR("http://"))) {
		before = strlen("http://");
	} else if (text.len == 0 || text.p[0] != '/') {
		return err_setx(err, EINVAL,
			"\"%s\" is neither a path, as in /login, nor a URL, "
			"as in https://www.example.com/login",
			show(text).text);
	}
	if (before > 0) {
		struct str rest = behind(text, before);

		url.host = (struct str){rest.p, span(rest, in_host)};
		url.target = behind(rest, url.host.len);
		if (!take_port(url.host, &url.port) ||
			(url.target.len > 0 && url.target.p[0] != '/' &&
				url.target.p[0] != '?'))
			return err_setx(err, EINVAL,
				"\"%s\" does not begin with a host, as in "
				"https://www.example.com/login",
				show(text).text);
	}
	*ret = url;
	return check_target(text, url.target, err);
}

/* As text with commas.  "/a, /b" are two words. */
static int
add_urls(const char *word, struct buf *to, struct err *err)
{
	struct str list = str_of(word);
	int rc = 0;

	while (list.p != NULL) {
		struct str text = str_next_element(&list);
		struct config_url url;

		if (text.len == 0)
			continue;
		rc = config_read_url(&url, text, err);
		if (rc < 0)
			break;
		(void)buf_printf(to, "%s%.*s", to->len > 0 ? "," : "",
			(int)text.len, text.p);
	}
	return rc;
}

static int
parse_urls(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, VALUE_WORDS, err);
	struct buf b = {0};

	/* For who must do without what a weaker source says. */
	if (rc == 0 && in->n == 1 && strcasecmp(in->words[0], none) == 0)
		return value_keep(
			&ret->text, in->arena, none, strlen(none), err);
	for (size_t i = 0; rc == 0 && i < in->n; i++)
		rc = add_urls(in->words[i], &b, err);
	if (rc == 0 && b.len == 0)
		rc = err_setx(err, EINVAL, "there is none in \"%s\"",
			value_show(in->words[0]).text);
	if (rc == 0 && b.len > VALUE_BYTES)
		rc = err_setx(err, EINVAL,
			"the value is longer than %d bytes in all",
			VALUE_BYTES);
	if (rc == 0)
		rc = buf_failed(&b) ? err_set(err, ENOMEM, "keeping a value")
				    : value_keep(&ret->text, in->arena,
					      buf_text(&b), b.len, err);
	buf_fini(&b);
	return rc;
}

/* Does "//", "/." or "/.." come in it, or is there one at the end? */
static bool
has_odd_segment(const char *path)
{
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (len <= 2 && strspn(path, ".") >= len))
			return true;
		path += len;
	}
	return false;
}

static int
parse_mount_point(const struct directive_input *in, union directive_value *ret,
	struct err *err)
{
	int rc = value_check_words(in, 1, 1, err);
	const char *path = in->words[0];

	if (rc < 0)
		return rc;
	if (strcmp(path, "/") == 0) {
		ret->text = NULL;
		return 0;
	}
	if (path[0] != '/' || has_odd_segment(path))
		return err_setx(err, EINVAL,
			"\"%s\" is no path such as /shop or /shop/admin, "
			"without a \"/\" at its end",
			value_show(path).text);
	if (strpbrk(path, "%?#") != NULL)
		return err_setx(err, EINVAL,
			"\"%s\" has a \"%c\" in it; write the path alone, and "
			"the characters themselves for percent codes",
			value_show(path).text, *strpbrk(path, "%?#"));
	return value_keep(&ret->text, in->arena, path, strlen(path), err);
}

const struct directive_type value_mount_point = {
	.metavar = "PATH",
	.size = sizeof(const char *),
	.parse = parse_mount_point,
	.write = value_write_text,
};

const struct directive_type value_urls = {
	.metavar = "URL ...",
	.storage = STORED_TEXTS,
	.size = sizeof(const char *),
	.many_words = true,
	.parse = parse_urls,
	.write = value_write_text,
};
