/*
 * path.h - the path of a request, as the application and whoever protects a
 * part of it must see it.
 *
 * Percent codes are decoded once, and then dot segments are resolved: in this
 * order, so that an encoded "../" is one like any other and nobody behind us
 * finds a second meaning (RFC 3986 sections 2.4 and 6.2.2).
 */
#ifndef WSGID_HTTP_PATH_H
#define WSGID_HTTP_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

struct buf;

/* What "%2F" is; Apache's AllowEncodedSlashes. */
enum path_slashes {
	PATH_SLASHES_DECODE, /* On: a slash */
	PATH_SLASHES_REFUSE, /* Off: 404 */
	PATH_SLASHES_KEEP,   /* NoDecode: itself, and no separator */
};

struct path_rules {
	enum path_slashes slashes;
	bool merge;       /* MergeSlashes: "//" is "/" */
	struct str mount; /* MountPoint; empty where it is the root */
};

/* Why a path is refused that is neither MountPoint nor below it. */
extern const char path_outside[];

/* What the application is to see of a request's path, which begins with "/":
 * it is resolved, and "/shop/x" is "/x" where the application is mounted at
 * "/shop".  *ret is part of path where resolving changes nothing, and else of
 * *memory.  0, or -STATUS and a sentence in *why: as path_resolve, 404 and
 * path_outside, or 503 without memory. */
int path_find(struct str path, const struct path_rules *rules,
	struct buf *memory, struct str *ret, const char **why);

/* Write the path, which begins with "/" and is no longer for it, to to.  Its
 * length, or -STATUS: 400 when it leads out of the root, contains "%00" or a
 * "%" without two hex digits, 404 when it has a slash that may not be encoded.
 * *why then is a sentence for the log. */
ssize_t path_resolve(struct str path, const struct path_rules *rules, char *to,
	const char **why);

#endif
