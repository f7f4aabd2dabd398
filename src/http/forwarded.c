/*
 * forwarded.c - what the proxies before us say about the client.  See
 * forwarded.h.
 *
 * Lists are taken apart from the right as well: a quotation mark that a client
 * opens and does not close must not swallow what the proxy has added behind it.
 */
#include "http/forwarded.h"

#include <string.h>

#include "base/defs.h"
#include "base/network.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/path.h"
#include "http/request.h"

enum { QUOTED_MAX = 512 }; /* longer than any address or host */

static const struct str none;

/* --- names ------------------------------------------------------------------ */

static const struct {
	struct str name;
	unsigned field;
} names[] = {
	{{"X-Forwarded-For", 15}, FORWARDED_FOR},
	{{"X-Forwarded-Proto", 17}, FORWARDED_PROTO},
	{{"X-Forwarded-Host", 16}, FORWARDED_HOST},
	{{"X-Forwarded-Port", 16}, FORWARDED_PORT},
	{{"X-Forwarded-Prefix", 18}, FORWARDED_PREFIX},
	{{"Forwarded", 9}, FORWARDED_RFC7239},
	{{"X-Real-IP", 9}, FORWARDED_OTHER},
};

unsigned
forwarded_field(struct str name)
{
	static const struct str begin = {"X-Forwarded-", 12};

	/* Most names are none, and the first letter tells. */
	if (name.len < 9 ||
		((name.p[0] | 0x20) != 'x' && (name.p[0] | 0x20) != 'f'))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal_nocase(name, names[i].name))
			return names[i].field;
	if (name.len > begin.len &&
		str_equal_nocase((struct str){name.p, begin.len}, begin))
		return FORWARDED_OTHER;
	return 0;
}

struct str
forwarded_name(unsigned fields)
{
	unsigned wanted = fields & FORWARDED_PROTO ? FORWARDED_PROTO : fields;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].field & wanted & ~FORWARDED_OTHER)
			return names[i].name;
	return STR("");
}

static bool
is_among(struct str words, struct str name)
{
	while (words.len > 0) {
		const char *space = memchr(words.p, ' ', words.len);
		size_t len = space != NULL ? (size_t)(space - words.p)
					   : words.len;
		size_t behind = space != NULL ? len + 1 : len;

		if (str_equal_nocase((struct str){words.p, len}, name))
			return true;
		words = (struct str){words.p + behind, words.len - behind};
	}
	return false;
}

bool
forwarded_shows(const struct forwarded *f, struct str name)
{
	unsigned field = forwarded_field(name);

	if (field == 0)
		return true;
	if (f == NULL)
		return false;
	return (f->shown & field) != 0 ||
	       (field == FORWARDED_OTHER && is_among(f->passed, name));
}

/* --- lists, from the right ----------------------------------------------------- */

/* All fields of a name are one list, in their order. */
struct list {
	const struct request *r;
	unsigned field;
	size_t i;        /* fields not looked at yet */
	struct str left; /* of the field that is being looked at */
};

static struct list
list_of(const struct request *r, unsigned field)
{
	return (struct list){.r = r, .field = field, .i = r->n_fields};
}

/* Where the quoted string that ends at end begins: its first mark; or end where
 * it has no beginning.  Looking is bounded: a client may send many marks. */
static size_t
quote_begin(struct str s, size_t end)
{
	size_t least = end > QUOTED_MAX ? end - QUOTED_MAX : 0;

	for (size_t i = end; i-- > least;) {
		size_t slashes = 0;

		if (s.p[i] != '"')
			continue;
		while (slashes < i - least && s.p[i - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return i;
	}
	return end;
}

/* Cut off what stands behind the last separator that is not quoted. */
static struct str
cut_last(struct str *s, char separator)
{
	struct str last;
	size_t i = s->len;

	while (i > 0 && s->p[i - 1] != separator) {
		i--;
		if (s->p[i] == '"')
			i = quote_begin(*s, i);
	}
	last = (struct str){s->p + i, s->len - i};
	s->len = i > 0 ? i - 1 : 0;
	return str_trim(last);
}

/* The next element; false when there are no more.  Empty ones do not count. */
static bool
next(struct list *l, struct str *ret)
{
	for (;;) {
		while (l->left.len > 0) {
			*ret = cut_last(&l->left, ',');
			if (ret->len > 0)
				return true;
		}
		if (l->i == 0)
			return false;
		l->i--;
		if (forwarded_field(l->r->fields[l->i].name) == l->field)
			l->left = l->r->fields[l->i].value;
	}
}

/* The element at a place, counted from the right; the last one there is where
 * the list is shorter: not every proxy adds to every list. */
static struct str
element(const struct request *r, unsigned field, size_t place)
{
	struct list l = list_of(r, field);
	struct str found = none, e;

	for (size_t i = 0; i < place && next(&l, &e); i++)
		found = e;
	return found;
}

/* --- values ---------------------------------------------------------------------- */

/* As one would write it, RFC 3986 section 6.2.3 allowing more; or none. */
static struct str
as_port(struct str s)
{
	unsigned long long port;

	while (s.len > 0 && s.p[0] == '0')
		s = (struct str){s.p + 1, s.len - 1};
	if (s.len > 5 || str_to_u64(s, &port) < 0 || port > 65535)
		return none;
	return s;
}

/* "[v6]:port", "v4:port", or an address alone. */
static bool
parse_node(struct str s, struct ip *ip, struct str *port)
{
	const char *end = NULL;
	struct str address = s;

	*port = (struct str){"", 0};
	if (s.len == 0)
		return false;
	if (s.p[0] == '[') {
		end = memchr(s.p, ']', s.len);
		if (end == NULL)
			return false;
		address = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
		end++;
	} else {
		const char *colon = memchr(s.p, ':', s.len);

		if (colon != NULL && colon == memrchr(s.p, ':', s.len)) {
			address.len = (size_t)(colon - s.p);
			end = colon;
		}
	}
	if (ip_parse(ip, address) < 0)
		return false;
	if (end == NULL || end == s.p + s.len)
		return true;
	*port = as_port((struct str){end + 1, (size_t)(s.p + s.len - end) - 1});
	return *end == ':' && port->p != NULL;
}

static struct str
unquoted(struct str s)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		return (struct str){s.p + 1, s.len - 2};
	return s;
}

/* The value of a parameter in an element of Forwarded. */
static struct str
parameter(struct str element, struct str name)
{
	while (element.len > 0) {
		struct str pair = cut_last(&element, ';');
		const char *equals = memchr(pair.p, '=', pair.len);
		size_t len = equals != NULL ? (size_t)(equals - pair.p) : 0;

		if (len > 0 &&
			str_equal_nocase((struct str){pair.p, len}, name))
			return unquoted(
				(struct str){equals + 1, pair.len - len - 1});
	}
	return none;
}

static struct str
as_scheme(struct str s)
{
	if (str_equal_nocase(s, STR("https")))
		return STR("https");
	return str_equal_nocase(s, STR("http")) ? STR("http") : none;
}

static struct str
as_host(struct str s)
{
	return authority_valid(s, NULL) ? s : none;
}

/* As the application will see it, what with percent codes and dots: a URL that
 * begins with "//" or "/\" leads to another server, and line ends lead to
 * header fields. */
static bool
makes_prefix(struct str s)
{
	static const struct path_rules rules = {.slashes = PATH_SLASHES_DECODE};
	char path[FORWARDED_PREFIX_MAX];
	const char *why;
	ssize_t len = path_resolve(s, &rules, path, &why);

	if (len < 2 || path[1] == '/' || path[len - 1] == '/')
		return false;
	for (ssize_t i = 0; i < len; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7f ||
			path[i] == '\\')
			return false;
	return true;
}

static struct str
as_prefix(struct str s)
{
	while (s.len > 0 && s.p[s.len - 1] == '/')
		s.len--;
	if (s.len > FORWARDED_PREFIX_MAX || s.len == 0 || s.p[0] != '/')
		return none;
	for (size_t i = 0; i < s.len; i++)
		if (!char_is_of(s.p[i], CHAR_PATH))
			return none;
	return makes_prefix(s) ? s : none;
}

/* --- the walk ----------------------------------------------------------------------- */

/* From the right, past those that are trusted.  How many elements were written
 * by somebody who is: the place of the client's. */
static size_t
walk(struct forwarded *f, const struct request *r, unsigned field,
	const struct network *trusted, size_t n_trusted)
{
	struct list l = list_of(r, field);
	struct str e, port;
	struct ip ip;
	size_t place = 0;

	while (next(&l, &e)) {
		place++;
		if (field == FORWARDED_RFC7239)
			e = parameter(e, STR("for"));
		if (!parse_node(e, &ip, &port))
			break; /* "unknown": who was asked is all we know */
		f->has_client = true;
		f->client = ip;
		f->client_port = port;
		if (!network_any_has(trusted, n_trusted, &ip))
			break;
	}
	return place > 0 ? place : 1;
}

static void
read_each(struct forwarded *f, const struct request *r, unsigned fields,
	const struct network *trusted, size_t n_trusted)
{
	size_t place = 1;

	if (fields & FORWARDED_FOR)
		place = walk(f, r, FORWARDED_FOR, trusted, n_trusted);
	if (fields & FORWARDED_PROTO)
		f->scheme = as_scheme(element(r, FORWARDED_PROTO, place));
	if (fields & FORWARDED_HOST)
		f->host = as_host(element(r, FORWARDED_HOST, place));
	if (fields & FORWARDED_PORT)
		f->server_port = as_port(element(r, FORWARDED_PORT, place));
	if (fields & FORWARDED_PREFIX)
		f->prefix = as_prefix(element(r, FORWARDED_PREFIX, place));
}

static void
read_rfc7239(struct forwarded *f, const struct request *r,
	const struct network *trusted, size_t n_trusted)
{
	struct forwarded said = {0};
	size_t place = walk(&said, r, FORWARDED_RFC7239, trusted, n_trusted);
	struct str e = element(r, FORWARDED_RFC7239, place);

	if (!f->has_client) {
		f->has_client = said.has_client;
		f->client = said.client;
		f->client_port = said.client_port;
	}
	if (f->scheme.p == NULL)
		f->scheme = as_scheme(parameter(e, STR("proto")));
	if (f->host.p == NULL)
		f->host = as_host(parameter(e, STR("host")));
}

static struct str
port_in(struct str host)
{
	const char *colon =
		host.len > 0 ? memrchr(host.p, ':', host.len) : NULL;

	if (colon == NULL)
		return none;
	return as_port((struct str){
		colon + 1, (size_t)(host.p + host.len - colon) - 1});
}

/* Where scheme or host are the proxy's, so is the port that they mean. */
static void
settle_port(struct forwarded *f, const struct request *r)
{
	if (f->server_port.p != NULL ||
		(f->scheme.p == NULL && f->host.p == NULL))
		return;
	f->server_port = port_in(f->host.p != NULL ? f->host : r->host);
	if (f->server_port.p == NULL)
		f->server_port = str_equal(f->scheme, STR("https")) ? STR("443")
								    : STR("80");
}

void
forwarded_read(struct forwarded *ret, const struct request *r, unsigned fields,
	const struct network *trusted, size_t n_trusted)
{
	unsigned there = 0;

	for (size_t i = 0; i < r->n_fields; i++)
		there |= forwarded_field(r->fields[i].name);
	*ret = (struct forwarded){.shown = fields};
	there &= fields;
	if (there == 0)
		return;
	read_each(ret, r, there, trusted, n_trusted);
	if (there & FORWARDED_RFC7239)
		read_rfc7239(ret, r, trusted, n_trusted);
	settle_port(ret, r);
}
