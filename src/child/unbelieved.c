/*
 * unbelieved.c - a word about a proxy that nobody has named.  See unbelieved.h.
 */
#include "child/unbelieved.h"

#include <stddef.h>

#include "base/ip.h"
#include "base/log.h"
#include "child/connection.h"
#include "http/forwarded.h"

/* As TrustedProxies has him; NULL where he is too far away for a proxy. */
static const char *
name_of(const struct connection *c)
{
	struct ip ip;

	if (c->peer.remote_addr.len == 0)
		return "unix:";
	if (ip_parse(&ip, c->peer.remote_addr) < 0 || !ip_is_private(&ip))
		return NULL;
	return c->remote_addr;
}

void
unbelieved_tell(
	struct unbelieved *u, const struct connection *c, unsigned fields)
{
	struct str field = forwarded_name(fields);
	const char *name;

	if (u == NULL || field.len == 0)
		return;
	name = name_of(c);
	if ((name == NULL && !c->trusted) || atomic_exchange(&u->told, true))
		return;
	if (c->trusted) {
		log_notice("child",
			"%.*s is taken out of requests that come from trusted "
			"proxies: TrustedProxyHeaders does not name it",
			(int)field.len, field.p);
		return;
	}
	log_notice("child",
		"%.*s from %s, who is not in TrustedProxies, is taken out of "
		"requests: applications see neither its clients nor https; if "
		"that is your proxy, write \"TrustedProxies %s\"",
		(int)field.len, field.p,
		c->peer.remote_addr.len > 0 ? name : "a Unix socket", name);
}
