/*
 * fuzz_forwarded.c - what somebody writes left of what a trusted proxy adds.
 *
 * Whatever it is, it changes nothing of what the proxy says; and what is
 * believed of it, where the proxy is the one who wrote it, makes sense.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/network.h"
#include "http/authority.h"
#include "http/forwarded.h"
#include "http/path.h"
#include "http/request.h"

enum { ALL = 0x3f, MOST = 4000 };

static struct request request;
static char head[4 * MOST];

/* Of whom the address in the last place is no trusted proxy. */
static const struct {
	const char *field, *added, *client, *scheme;
} proxies[] = {
	{"X-Forwarded-For", "192.0.2.7", "192.0.2.7", NULL},
	{"X-Forwarded-For", "[2001:db8::7]:99", "2001:db8::7", NULL},
	{"X-Forwarded-Proto", "https", NULL, "https"},
	{"Forwarded", "for=192.0.2.7;proto=https", "192.0.2.7", "https"},
	{"Forwarded", "proto=http;for=\"[2001:db8::7]:99\"", "2001:db8::7",
		"http"},
};

/* False where it is no request. */
static int
read_fields(struct forwarded *f, size_t len)
{
	static const struct request_limits limits = {
		.line = 8190, .fields = 100, .field_size = 8190};
	struct network ours;

	if (request_parse(&request, head, len, &limits) <= 0)
		return 0;
	assert(network_parse(&ours, "10.0.0.0/8", NULL) == 0);
	forwarded_read(f, &request, ALL, &ours, 1);
	return 1;
}

static void
check_added(struct str junk, size_t which)
{
	struct forwarded f;
	char client[IP_TEXT];
	int n = snprintf(head, sizeof(head),
		"GET / HTTP/1.1\r\nHost: a\r\n%s: %.*s, %s\r\n\r\n",
		proxies[which].field, (int)junk.len, junk.p,
		proxies[which].added);

	/* With line ends in it, it is more than one field. */
	if (memchr(junk.p, '\n', junk.len) != NULL ||
		memchr(junk.p, '\0', junk.len) != NULL ||
		!read_fields(&f, (size_t)n))
		return;
	assert(f.has_client == (proxies[which].client != NULL));
	if (f.has_client) {
		ip_format(&f.client, client);
		assert(strcmp(client, proxies[which].client) == 0);
	}
	assert(str_equal(f.scheme, str_of(proxies[which].scheme)));
}

/* As environ.c gives it to the application. */
static void
check_prefix(struct str prefix)
{
	static const struct path_rules rules = {.slashes = PATH_SLASHES_DECODE};
	char path[FORWARDED_PREFIX_MAX];
	const char *why;
	ssize_t len = path_resolve(prefix, &rules, path, &why);

	assert(len > 1 && path[0] == '/' && path[1] != '/' &&
		path[len - 1] != '/');
	assert(memchr(path, '\n', (size_t)len) == NULL &&
		memchr(path, '\\', (size_t)len) == NULL);
}

static void
check_sense(struct str fields)
{
	struct forwarded f;
	int n = snprintf(head, sizeof(head),
		"GET / HTTP/1.1\r\nHost: a\r\n%.*s\r\n\r\n", (int)fields.len,
		fields.p);

	if (!read_fields(&f, (size_t)n))
		return;
	if (f.scheme.p != NULL)
		assert(str_equal(f.scheme, STR("http")) ||
			str_equal(f.scheme, STR("https")));
	if (f.host.p != NULL)
		assert(authority_valid(f.host, NULL));
	if (f.prefix.p != NULL)
		check_prefix(f.prefix);
	for (size_t i = 0; i < f.server_port.len; i++)
		assert(f.server_port.p[i] >= '0' && f.server_port.p[i] <= '9');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str input = {(const char *)bytes, size < MOST ? size : MOST};

	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		check_added(input, i);
	check_sense(input);
	return 0;
}
