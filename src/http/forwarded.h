/*
 * forwarded.h - what the proxies before us say about the client.
 *
 * Each proxy adds itself at the right of X-Forwarded-For, or of Forwarded (RFC
 * 7239), and anybody may have written what stands left of that.  So the fields
 * are read from the right, and no farther than whom we trust has written: the
 * first address from the right that is no trusted proxy is the client.  Scheme,
 * host, port and prefix are those of the same place in their lists.
 *
 * Whether the other end of the connection is trusted is for the caller to
 * know; of one who is not, nothing here may be asked.
 */
#ifndef WSGID_HTTP_FORWARDED_H
#define WSGID_HTTP_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/str.h"

struct network;
struct request;

/* The fields, for sets of them. */
enum {
	FORWARDED_FOR = 1 << 0,     /* X-Forwarded-For */
	FORWARDED_PROTO = 1 << 1,   /* X-Forwarded-Proto */
	FORWARDED_HOST = 1 << 2,    /* X-Forwarded-Host */
	FORWARDED_PORT = 1 << 3,    /* X-Forwarded-Port */
	FORWARDED_PREFIX = 1 << 4,  /* X-Forwarded-Prefix */
	FORWARDED_RFC7239 = 1 << 5, /* Forwarded */
	FORWARDED_OTHER = 1 << 6,   /* X-Forwarded-ANYTHING and X-Real-IP, which
	                           * say nothing to us: passed on or taken away */
};

/* A longer prefix makes no sense. */
enum { FORWARDED_PREFIX_MAX = 1024 };

/* Where p is NULL, it is what the connection or the request itself says.
 * Slices point into the request's, or are constant. */
struct forwarded {
	unsigned shown;         /* fields that the application may see */
	struct str passed;      /* ... and names of FORWARDED_OTHER, likewise,
	                         * with a space between two */
	bool has_client;        /* then these are so: */
	struct ip client;       /* ... its address */
	struct str client_port; /* ... and port; empty: it was not said */
	struct str scheme;      /* "http" or "https" */
	struct str host;        /* as in Host */
	struct str server_port;
	struct str prefix; /* decoded, too, it begins with one "/", is more
	                    * than that, and does not end in one */
};

/* Of a trusted peer, that sets these fields.  What does not make sense is as
 * if it were not there.  Where X-Forwarded-* says something, Forwarded is not
 * looked at for it: most proxies pass what they do not know. */
void forwarded_read(struct forwarded *ret, const struct request *r,
	unsigned fields, const struct network *trusted, size_t n_trusted);

/* Which of the fields is it?  0: none. */
unsigned forwarded_field(struct str name);

/* The name of a field of this set, the scheme's where that is in it;
 * FORWARDED_OTHER is not looked at.  Of none: "". */
struct str forwarded_name(unsigned fields);

/* May the application see the field of this name?  f may be NULL: of whom
 * nobody trusts. */
bool forwarded_shows(const struct forwarded *f, struct str name);

#endif
