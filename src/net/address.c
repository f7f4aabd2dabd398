/*
 * address.c - where to listen, as administrators write it.
 *
 * What people write here comes from Apache, gunicorn, nginx and browsers, so
 * each habit that is not ours gets a sentence with what to write instead.
 *
 * "8000" is one socket, [::]:8000, which takes IPv4 connections too, as
 * Apache on Linux does it: with one listener a child can simply accept,
 * while two need a set to wait on.  Where the kernel has no IPv6 it is
 * 0.0.0.0:8000.  IPv4 connections to such a socket carry mapped addresses,
 * ::ffff:192.0.2.1, which are shown as what they are.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/str.h"

enum { HOST_NAME = 256, LONGEST_TEXT = 300 };

static bool
has_ipv6(void)
{
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0;
}

static int
parse_unix(struct address *ret, const char *text, const char *path,
	struct err *err)
{
	size_t len = strlen(path), most = sizeof(ret->un.sun_path) - 1;
	bool abstract = *path == '@';

	if (len == 0 || (abstract && len == 1))
		return err_setx(err, EINVAL,
			"Listen %s: a name is missing: write unix:/PATH or "
			"unix:@NAME",
			text);
	if (path[len - 1] == '/' && !abstract)
		return err_setx(err, EINVAL,
			"Listen %s: that is a directory: add a file name, "
			"unix:%swsgid.sock",
			text, path);
	if (len > most)
		return err_setx(err, ENAMETOOLONG,
			"Listen %s: the path has %zu bytes, and a socket's "
			"may have %zu: choose a shorter one",
			text, len, most);

	memset(ret, 0, sizeof(*ret));
	ret->un.sun_family = AF_UNIX;
	memcpy(ret->un.sun_path, path, len);
	if (abstract)
		ret->un.sun_path[0] = '\0';
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
			       (abstract ? 0 : 1));
	return 1;
}

static void
any_interface(struct address *ret, unsigned port)
{
	memset(ret, 0, sizeof(*ret));
	if (has_ipv6()) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_addr = in6addr_any;
		ret->in6.sin6_port = htons((uint16_t)port);
		ret->len = sizeof(ret->in6);
	} else {
		ret->in4.sin_family = AF_INET;
		ret->in4.sin_addr.s_addr = htonl(INADDR_ANY);
		ret->in4.sin_port = htons((uint16_t)port);
		ret->len = sizeof(ret->in4);
	}
}

/* Is it worth trying?  "localhost" is ::1 too by /etc/hosts in containers
 * that have no IPv6 at all. */
static bool
is_here(const struct addrinfo *info)
{
	AUTO_CLOSE int fd =
		socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage any_port = {0};

	if (fd < 0)
		return false;
	memcpy(&any_port, info->ai_addr, info->ai_addrlen);
	if (info->ai_family == AF_INET6)
		((struct sockaddr_in6 *)&any_port)->sin6_port = 0;
	else
		((struct sockaddr_in *)&any_port)->sin_port = 0;
	return bind(fd, (struct sockaddr *)&any_port, info->ai_addrlen) == 0 ||
	       errno != EADDRNOTAVAIL;
}

static bool
is_among(const struct address *all, size_t n, const struct addrinfo *info)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].len == info->ai_addrlen &&
			memcmp(&all[i].any, info->ai_addr, all[i].len) == 0)
			return true;
	return false;
}

static int
take_found(struct address *ret, size_t max, const char *text,
	const struct addrinfo *found, struct err *err)
{
	bool one = found->ai_next == NULL;
	size_t n = 0;

	for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
		if (i->ai_addrlen > sizeof(ret->in6) || is_among(ret, n, i))
			continue;
		if (!one && !is_here(i))
			continue;
		if (n == max)
			return err_setx(err, E2BIG,
				"Listen %s: the name stands for more than %zu "
				"addresses: write those that are meant",
				text, max);
		memset(&ret[n], 0, sizeof(ret[n]));
		memcpy(&ret[n].any, i->ai_addr, i->ai_addrlen);
		ret[n++].len = i->ai_addrlen;
	}
	if (n == 0)
		return err_setx(err, EADDRNOTAVAIL,
			"Listen %s: none of the addresses of that name is "
			"one of this machine's",
			text);
	return (int)n;
}

static int
not_found(int rc, const char *text, const char *host, struct err *err)
{
	if (rc == EAI_SYSTEM)
		return err_set(
			err, errno, "Listen %s: looking up %s", text, host);
	if (rc == EAI_MEMORY)
		return err_set(err, ENOMEM, "Listen %s", text);
	if (rc == EAI_AGAIN)
		return err_setx(err, EAGAIN,
			"Listen %s: no name server answers for %s: write its "
			"address, or * for all interfaces",
			text, host);
	return err_setx(err, ENOENT,
		"Listen %s: %s is neither an address nor a name that is "
		"known here (%s)",
		text, host, gai_strerror(rc));
}

/* No name server knows a name of digits and dots alone. */
static bool
is_numeric(const char *host)
{
	return host[strspn(host, "0123456789.")] == '\0';
}

static int
look_up(struct address *ret, size_t max, const char *text, const char *host,
	bool bracketed, unsigned port, struct err *err)
{
	struct addrinfo want = {
		.ai_family = bracketed ? AF_INET6 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV |
			    (bracketed || is_numeric(host) ? AI_NUMERICHOST
							   : 0),
	};
	struct addrinfo *found;
	char service[8];
	int n, rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &want, &found);
	if (rc != 0 && bracketed)
		return err_setx(err, EINVAL,
			"Listen %s: %s is not an IPv6 address%s", text, host,
			strchr(host, '%') != NULL
				? ", or this machine has no such interface"
				: "");
	if (rc != 0)
		return not_found(rc, text, host, err);
	n = take_found(ret, max, text, found, err);
	freeaddrinfo(found);
	return n;
}

static int
parse_port(const char *text, const char *digits, unsigned *ret, struct err *err)
{
	unsigned long long port;
	int rc = str_to_u64(str_of(digits), &port);

	if (rc == -EINVAL)
		return err_setx(err, EINVAL,
			"Listen %s: \"%s\" is not a port: write ADDRESS:PORT "
			"with a number from 0 to 65535",
			text, digits);
	if (rc < 0 || port > 65535)
		return err_setx(err, EINVAL,
			"Listen %s: there is no port %s: 65535 is the last",
			text, digits);
	*ret = (unsigned)port;
	return 0;
}

static bool
is_number(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/* What is written where, before it is looked at closely: "HOST" and "PORT"
 * of HOST:PORT, [HOST]:PORT, PORT.  0, or -EINVAL. */
static int
split(const char *text, char host[HOST_NAME], bool *bracketed,
	const char **port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *first = text, *end = colon;

	*bracketed = *text == '[';
	if (colon == NULL && is_number(text)) {
		*host = '\0';
		*port = text;
		return 0;
	}
	if (*bracketed) {
		first = text + 1;
		end = strchr(text, ']');
		if (end == NULL)
			return err_setx(err, EINVAL,
				"Listen %s: the ] is missing", text);
		colon = end[1] == ':' ? end + 1 : NULL;
		if (colon == NULL && end[1] != '\0')
			return err_setx(err, EINVAL,
				"Listen %s: write [ADDRESS]:PORT", text);
	}
	if (*text == '-' && text[1] != '\0' && is_number(text + 1))
		return err_setx(err, EINVAL,
			"Listen %s: there is no port below 0: write a number "
			"to 65535, or ADDRESS:PORT",
			text);
	if (colon == NULL || colon[1] == '\0')
		return err_setx(err, EINVAL,
			"Listen %s: the port is missing: write %.*s:8000", text,
			(int)(colon != NULL ? colon - text
					    : (ptrdiff_t)strlen(text)),
			text);
	if (end - first >= HOST_NAME)
		return err_setx(err, EINVAL,
			"Listen %s: that is too long for a host name", text);
	memcpy(host, first, (size_t)(end - first));
	host[end - first] = '\0';
	*port = colon + 1;
	return 0;
}

/* Habits from elsewhere. */
static int
check_habits(const char *text, struct err *err)
{
	const char *slashes = strstr(text, "://");
	unsigned char in6[sizeof(struct in6_addr)];

	if (*text == '\0')
		return err_setx(err, EINVAL,
			"Listen needs an address: write 127.0.0.1:8000, 8000 "
			"for every interface, or unix:/PATH");
	if (text[strcspn(text, " \t\r\n\f\v")] != '\0')
		return err_setx(err, EINVAL,
			"Listen %s: an address has no spaces", text);
	if (slashes != NULL) {
		const char *host = slashes + 3;

		return err_setx(err, EINVAL,
			"Listen %s: that is a URL: write %.*s", text,
			(int)strcspn(host, "/"), host);
	}
	if (strchr(text, '/') != NULL && strchr(text, ':') == NULL)
		return err_setx(err, EINVAL,
			"Listen %s: for a Unix socket write unix:%s", text,
			text);
	if (*text != '[' && inet_pton(AF_INET6, text, in6) == 1)
		return err_setx(err, EINVAL,
			"Listen %s: write an IPv6 address and its port as "
			"[ADDRESS]:PORT",
			text);
	return 0;
}

int
address_parse(
	struct address *ret, size_t max, const char *text, struct err *err)
{
	char host[HOST_NAME];
	const char *digits = "";
	unsigned port = 0;
	bool bracketed = false;
	int rc;

	if (max == 0)
		return err_setx(err, E2BIG,
			"Listen %s: there are too many addresses already",
			text);
	if (strlen(text) > LONGEST_TEXT)
		return err_setx(err, EINVAL,
			"Listen %.60s...: that is too long for an address",
			text);
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(ret, text, text + 5, err);

	rc = check_habits(text, err);
	if (rc == 0)
		rc = split(text, host, &bracketed, &digits, err);
	if (rc == 0)
		rc = parse_port(text, digits, &port, err);
	if (rc < 0)
		return rc;

	if (!bracketed && (*host == '\0' || strcmp(host, "*") == 0)) {
		any_interface(ret, port);
		return 1;
	}
	if (!bracketed && strchr(host, ':') != NULL)
		return err_setx(err, EINVAL,
			"Listen %s: write an IPv6 address as [%s]:%u", text,
			host, port);
	return look_up(ret, max, text, host, bracketed, port, err);
}

static void
host_of_ipv6(const struct sockaddr_in6 *in6, char to[ADDRESS_TEXT])
{
	char interface[IF_NAMESIZE];

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(
			AF_INET, &in6->sin6_addr.s6_addr[12], to, ADDRESS_TEXT);
		return;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, to, ADDRESS_TEXT);
	if (in6->sin6_scope_id == 0)
		return;
	if (if_indextoname(in6->sin6_scope_id, interface) == NULL)
		snprintf(
			interface, sizeof(interface), "%u", in6->sin6_scope_id);
	snprintf(to + strlen(to), ADDRESS_TEXT - strlen(to), "%%%s", interface);
}

void
address_host(const struct address *a, char to[ADDRESS_TEXT])
{
	*to = '\0';
	if (a->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in4.sin_addr, to, ADDRESS_TEXT);
	else if (a->any.sa_family == AF_INET6)
		host_of_ipv6(&a->in6, to);
}

int
address_port(const struct address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohs(a->in4.sin_port);
	if (a->any.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

/* The kernel gives a path with or without its NUL; an abstract name may
 * have any bytes, and a client that did not bind has no name at all. */
static void
format_unix(const struct address *a, char to[ADDRESS_TEXT])
{
	size_t start = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > start ? a->len - start : 0;
	const char *name = a->un.sun_path;

	if (len > sizeof(a->un.sun_path))
		len = sizeof(a->un.sun_path);
	if (len == 0 || *name != '\0') {
		snprintf(to, ADDRESS_TEXT, "unix:%.*s", (int)strnlen(name, len),
			name);
		return;
	}
	to += snprintf(to, ADDRESS_TEXT, "unix:@");
	for (size_t i = 1; i < len; i++)
		*to++ = (char)(name[i] > ' ' && name[i] < 0x7f ? name[i] : '?');
	*to = '\0';
}

void
address_format(const struct address *a, char to[ADDRESS_TEXT])
{
	char host[ADDRESS_TEXT];

	if (a->any.sa_family == AF_UNIX) {
		format_unix(a, to);
		return;
	}
	address_host(a, host);
	snprintf(to, ADDRESS_TEXT, strchr(host, ':') ? "[%.100s]:%d" : "%s:%d",
		host, address_port(a));
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}

static bool
is_any_interface(const struct address *a, const struct ip *ip)
{
	static const unsigned char zero[4];

	if (a->any.sa_family == AF_INET6 &&
		IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr))
		return true;
	return ip_is_v4(ip) && memcmp(ip->bytes + 12, zero, 4) == 0;
}

static struct ip
ip_of(const struct address *a)
{
	return a->any.sa_family == AF_INET ? ip_of_v4(&a->in4.sin_addr)
					   : ip_of_v6(&a->in6.sin6_addr);
}

static unsigned
zone_of(const struct address *a)
{
	return a->any.sa_family == AF_INET6 ? a->in6.sin6_scope_id : 0;
}

bool
address_excludes(const struct address *a, const struct address *b)
{
	struct ip x, y;

	if (a->any.sa_family == AF_UNIX || b->any.sa_family == AF_UNIX)
		return address_equal(a, b);
	if (address_port(a) == 0 || address_port(a) != address_port(b))
		return false;
	x = ip_of(a);
	y = ip_of(b);
	if (memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0)
		return zone_of(a) == zone_of(b);
	/* 0.0.0.0 is each of IPv4, [::] is each of both. */
	if (ip_is_v4(&x) == ip_is_v4(&y))
		return is_any_interface(a, &x) || is_any_interface(b, &y);
	return is_any_interface(ip_is_v4(&x) ? b : a, ip_is_v4(&x) ? &y : &x);
}
