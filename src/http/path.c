/*
 * path.c - percent codes and dot segments of a request's path.  See path.h.
 */
#include "http/path.h"

#include <string.h>

#include "base/buf.h"
#include "base/defs.h"
#include "http/chars.h"

const char path_outside[] = "the path is not below MountPoint";

/* --- percent codes ----------------------------------------------------------- */

static int
hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The byte that the code at p stands for, or -1. */
static int
read_code(const char *p, const char *end)
{
	if (end - p < 3 || !char_is_of(p[1], CHAR_HEX) ||
		!char_is_of(p[2], CHAR_HEX))
		return -1;
	return hex_value(p[1]) << 4 | hex_value(p[2]);
}

static ssize_t
refuse(int status, const char *sentence, const char **why)
{
	*why = sentence;
	return -status;
}

static ssize_t
decode(struct str path, enum path_slashes slashes, char *to, const char **why)
{
	const char *p = path.p, *end = path.p + path.len;
	size_t len = 0;
	int byte;

	while (p < end) {
		if (*p != '%') {
			to[len++] = *p++;
			continue;
		}
		byte = read_code(p, end);
		if (byte < 0)
			return refuse(400,
				"a \"%\" in the path without two hex digits",
				why);
		if (byte == 0)
			return refuse(400, "\"%00\" in the path", why);
		if (byte == '/' && slashes == PATH_SLASHES_REFUSE)
			return refuse(404,
				"an encoded slash in the path "
				"(AllowEncodedSlashes is Off)",
				why);
		if (byte == '/' && slashes == PATH_SLASHES_KEEP) {
			memcpy(to + len, p, 3);
			len += 3;
		} else {
			to[len++] = (char)byte;
		}
		p += 3;
	}
	return (ssize_t)len;
}

/* --- segments ------------------------------------------------------------------ */

/* What is kept of the path so far; it grows over what has been read. */
struct kept {
	char *text;
	size_t len;
};

static void
keep(struct kept *k, struct str segment)
{
	k->text[k->len++] = '/';
	memmove(k->text + k->len, segment.p, segment.len);
	k->len += segment.len;
}

static bool
drop_last(struct kept *k)
{
	if (k->len == 0)
		return false;
	while (k->text[--k->len] != '/')
		continue;
	return true;
}

static bool
take_segment(struct kept *k, struct str segment, bool is_last, bool merge)
{
	const struct str nothing = STR("");

	if (str_equal(segment, STR("."))) {
		segment = nothing;
	} else if (str_equal(segment, STR(".."))) {
		if (!drop_last(k))
			return false;
		segment = nothing;
	} else if (segment.len > 0 || !merge) {
		keep(k, segment);
		return true;
	}
	/* A directory: "/a/." and "/a/b/.." are "/a/". */
	if (is_last)
		keep(k, segment);
	return true;
}

static ssize_t
resolve(char *text, size_t len, bool merge, const char **why)
{
	struct kept k = {text, 0};
	size_t at = 0;

	while (at < len) {
		const char *begin = text + at + 1; /* behind the "/" */
		size_t rest = len - at - 1;
		const char *slash = memchr(begin, '/', rest);
		size_t segment = slash != NULL ? (size_t)(slash - begin) : rest;

		at += 1 + segment;
		if (!take_segment(
			    &k, (struct str){begin, segment}, at == len, merge))
			return refuse(
				400, "the path leads out of the root", why);
	}
	return (ssize_t)k.len;
}

ssize_t
path_resolve(struct str path, const struct path_rules *rules, char *to,
	const char **why)
{
	ssize_t len = decode(path, rules->slashes, to, why);

	return len < 0 ? len : resolve(to, (size_t)len, rules->merge, why);
}

/* --- what the application sees ------------------------------------------------ */

/* Would path_resolve change nothing? */
static bool
is_plain(struct str path, const struct path_rules *rules)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.p[i] == '%')
			return false;
		if (path.p[i] == '/' && i + 1 < path.len &&
			(path.p[i + 1] == '.' ||
				(rules->merge && path.p[i + 1] == '/')))
			return false;
	}
	return true;
}

/* "/shop" off "/shop/x" and "/shop". */
static inline int
cut_mount(struct str path, struct str mount, struct str *ret, const char **why)
{
	if (UNLIKELY(mount.len > 0)) {
		if (path.len < mount.len ||
			memcmp(path.p, mount.p, mount.len) != 0 ||
			(path.len > mount.len && path.p[mount.len] != '/'))
			return (int)refuse(404, path_outside, why);
		path.p += mount.len;
		path.len -= mount.len;
	}
	*ret = path;
	return 0;
}

/* Apart, so that a path that is plain saves no registers for it. */
__attribute__((noinline)) static int
find_resolved(struct str path, const struct path_rules *rules,
	struct buf *memory, struct str *ret, const char **why)
{
	ssize_t len;

	buf_clear(memory);
	if (buf_reserve(memory, path.len) == NULL)
		return (int)refuse(503, "no memory", why);
	len = path_resolve(path, rules, memory->data, why);
	if (len < 0)
		return (int)len;
	path = (struct str){memory->data, (size_t)len};
	return cut_mount(path, rules->mount, ret, why);
}

int
path_find(struct str path, const struct path_rules *rules, struct buf *memory,
	struct str *ret, const char **why)
{
	return LIKELY(is_plain(path, rules))
		       ? cut_mount(path, rules->mount, ret, why)
		       : find_resolved(path, rules, memory, ret, why);
}
