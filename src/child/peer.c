/*
 * peer.c - who is at the other end, and whom he speaks for.  See peer.h.
 *
 * Whether somebody is trusted is asked of the nearest address that is known:
 * after the PROXY protocol that is the client's, whose own X-Forwarded-For is
 * worth no more than anybody's.
 */
#include "child/peer.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "child/connection.h"
#include "child/engine.h"
#include "child/unread.h"
#include "config/config.h"
#include "http/proxy_protocol.h"

/* The same sets, in the words of two libraries that do not know each other. */
static_assert(CONFIG_X_FORWARDED_FOR == (int)FORWARDED_FOR &&
		      CONFIG_X_FORWARDED_PROTO == (int)FORWARDED_PROTO &&
		      CONFIG_X_FORWARDED_HOST == (int)FORWARDED_HOST &&
		      CONFIG_X_FORWARDED_PORT == (int)FORWARDED_PORT &&
		      CONFIG_X_FORWARDED_PREFIX == (int)FORWARDED_PREFIX &&
		      CONFIG_FORWARDED == (int)FORWARDED_RFC7239,
	"TrustedProxyHeaders");

static bool
trusts(const struct engine *e, const struct ip *ip)
{
	const struct config_networks *n = &e->config->trusted_proxies;

	return n->n > 0 && network_any_has(n->list, n->n, ip);
}

/* --- the connection ------------------------------------------------------------ */

/* NULL: of a Unix socket. */
static void
put_end(const struct ip *ip, int port, char addr[IP_TEXT], char port_text[8],
	struct str *ret_addr, struct str *ret_port)
{
	char *end;

	*ret_addr = *ret_port = STR("");
	addr[0] = '\0';
	if (ip == NULL)
		return;
	*ret_addr = (struct str){addr, ip_format(ip, addr)};
	end = str_put_decimal(port_text, (unsigned)port);
	*ret_port = (struct str){port_text, (size_t)(end - port_text)};
}

static void
put_remote(struct connection *c, const struct ip *ip, int port)
{
	c->remote_port = port;
	put_end(ip, port, c->remote_addr, c->ports[0], &c->peer.remote_addr,
		&c->peer.remote_port);
}

static void
put_local(struct connection *c, const struct ip *ip, int port)
{
	c->local_port = port;
	put_end(ip, port, c->local_addr, c->ports[1], &c->peer.server_addr,
		&c->peer.server_port);
}

/* False where the socket has no address. */
static bool
ip_of(const struct sockaddr_storage *from, struct ip *ip, int *port)
{
	const struct sockaddr_in *in4 = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;

	*port = 0;
	if (from->ss_family == AF_INET) {
		*ip = ip_of_v4(&in4->sin_addr);
		*port = ntohs(in4->sin_port);
	} else if (from->ss_family == AF_INET6) {
		*ip = ip_of_v6(&in6->sin6_addr);
		*port = ntohs(in6->sin6_port);
	}
	return *port != 0;
}

bool
peer_find(struct engine *e, struct connection *c)
{
	struct sockaddr_storage remote = {0}, local = {0};
	socklen_t remote_len = sizeof(remote), local_len = sizeof(local);
	bool found;
	struct ip ip;
	int port;

	(void)getpeername(c->fd, (struct sockaddr *)&remote, &remote_len);
	(void)getsockname(c->fd, (struct sockaddr *)&local, &local_len);
	found = ip_of(&remote, &ip, &port);
	put_remote(c, found ? &ip : NULL, port);
	c->trusted = (found || local.ss_family == AF_UNIX) &&
		     trusts(e, found ? &ip : NULL);
	if (ip_of(&local, &ip, &port))
		put_local(c, &ip, port);
	else
		put_local(c, NULL, 0);
	c->peer.scheme = STR("http");
	return found || local.ss_family == AF_UNIX;
}

void
peer_be_told(
	struct engine *e, struct connection *c, const struct handoff_peer *told)
{
	c->told = *told;
	if (told->known) {
		put_remote(c, &told->remote, told->remote_port);
		c->trusted = trusts(e, &told->remote);
		put_local(c, &told->local, told->local_port);
	}
	if (told->tls)
		peer_is_https(c);
}

void
peer_is_https(struct connection *c)
{
	c->told.tls = true;
	c->peer.scheme = STR("https");
}

/* --- the PROXY protocol ----------------------------------------------------------- */

static int
wait_for_more(struct engine *e, struct connection *c)
{
	if (unread_stash(e, c) < 0)
		return -503;
	connection_await_head(e, c);
	return 0;
}

static int
take_header(struct engine *e, struct connection *c,
	const struct proxy_protocol *header, size_t len)
{
	struct handoff_peer told = {
		.known = header->has_ends,
		.tls = header->tls || c->told.tls,
		.remote = header->client,
		.local = header->server,
		.remote_port = header->client_port,
		.local_port = header->server_port,
	};

	unread_consume(e, c, len);
	c->scan = (struct request_scan){0};
	peer_be_told(e, c, &told);
	return unread_of(c).len > 0 ? 1 : wait_for_more(e, c);
}

int
peer_introduce(struct engine *e, struct connection *c)
{
	bool must = c->told.awaits == CONFIG_PROXY_ON;
	struct str input = unread_of(c);
	struct proxy_protocol header;
	ssize_t n = -ENOMSG;

	if (c->trusted)
		n = proxy_protocol_parse(&header, input.p, input.len);
	if (n > 0)
		return take_header(e, c, &header, (size_t)n);
	if (n == 0)
		return wait_for_more(e, c);
	if (n == -ENOMSG && !must) {
		c->told.awaits = 0;
		return 1;
	}
	return c->trusted ? -400 : -403;
}

const char *
peer_complaint(const struct connection *c, int status)
{
	if (status == 503)
		return "no memory";
	if (!c->trusted)
		return "ProxyProtocol is On here, and this is no trusted proxy";
	return "it does not begin with a valid header of the PROXY protocol";
}

/* --- the request ---------------------------------------------------------------------- */

void
peer_read_fields(struct engine *e, struct connection *c)
{
	const struct config_networks *n = &e->config->trusted_proxies;
	const struct config_proxy_headers *headers =
		&e->config->trusted_proxy_headers;
	struct forwarded *f = &e->forwarded;

	*f = (struct forwarded){0};
	e->client = c->peer.remote_addr;
	e->client_port = c->remote_port;
	if (!c->trusted)
		return;
	forwarded_read(
		f, &e->request, (unsigned)headers->known, n->list, n->n);
	if (headers->passed != NULL)
		f->passed = str_of(headers->passed);
	if (!f->has_client)
		return;
	e->client = (struct str){
		e->client_text, ip_format(&f->client, e->client_text)};
	e->client_port = 0;
	for (size_t i = 0; i < f->client_port.len; i++)
		e->client_port =
			e->client_port * 10 + (f->client_port.p[i] - '0');
}
