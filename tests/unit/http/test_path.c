/*
 * test_path.c - percent codes and dot segments of a path, row by row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/defs.h"
#include "http/path.h"

enum { ON, OFF, NODECODE, MERGE };

static const struct path_rules rules[] = {
	[ON] = {.slashes = PATH_SLASHES_DECODE},
	[OFF] = {.slashes = PATH_SLASHES_REFUSE},
	[NODECODE] = {.slashes = PATH_SLASHES_KEEP},
	[MERGE] = {.slashes = PATH_SLASHES_DECODE, .merge = true},
};

/* Into memory that ends where the path does, for a sanitizer. */
static ssize_t
run(const char *path, int rule, char **ret)
{
	struct str s = str_of(path);
	const char *why = NULL;
	ssize_t len;

	*ret = malloc(s.len);
	assert_non_null(*ret);
	len = path_resolve(s, &rules[rule], *ret, &why);
	assert_true(len >= 0 ? why == NULL : why != NULL);
	return len;
}

static void
test_paths_become_what_they_mean(void **state)
{
	static const struct {
		const char *section;
		int rule;
		const char *path, *resolved;
	} rows[] = {
		{"3986 2.1", ON, "/a%20b", "/a b"},
		{"3986 2.1", ON, "/%C3%a9", "/\xc3\xa9"},
		{"3986 2.1", ON, "/%41%7e%7E", "/A~~"},
		{"3986 2.4", ON, "/%2541", "/%41"},
		{"3986 2.4", ON, "/%252e%252e/", "/%2e%2e/"},
		{"3986 2.4", NODECODE, "/%252F", "/%2F"},
		{"3986 3.3", ON, "/a;b=c/d,e", "/a;b=c/d,e"},
		{"3986 3.3", ON, "/a+b", "/a+b"},
		{"3986 5.2.4", ON, "/", "/"},
		{"3986 5.2.4", ON, "/.", "/"},
		{"3986 5.2.4", ON, "/./", "/"},
		{"3986 5.2.4", ON, "/a/.", "/a/"},
		{"3986 5.2.4", ON, "/a/./b", "/a/b"},
		{"3986 5.2.4", ON, "/a/..", "/"},
		{"3986 5.2.4", ON, "/a/../", "/"},
		{"3986 5.2.4", ON, "/a/b/..", "/a/"},
		{"3986 5.2.4", ON, "/a/b/../../c", "/c"},
		{"3986 5.2.4", ON, "/a/b/c/./../../g", "/a/g"},
		{"3986 5.2.4", ON, "/...", "/..."},
		{"3986 5.2.4", ON, "/.a/a./..b/b..", "/.a/a./..b/b.."},
		{"3986 6.2.2", ON, "/a/%2e%2E/b", "/b"},
		{"3986 6.2.2", ON, "/a/.%2e/b", "/b"},
		{"3986 6.2.2", ON, "/a/%2e", "/a/"},
		{"encoded slash", ON, "/a%2Fb%2fc", "/a/b/c"},
		{"encoded slash", ON, "/a%2F..%2Fb", "/b"},
		{"encoded slash", ON, "/a/%2e%2e%2fb", "/b"},
		{"encoded slash", NODECODE, "/a%2Fb%2fc", "/a%2Fb%2fc"},
		{"encoded slash", NODECODE, "/a%2F..%2Fb", "/a%2F..%2Fb"},
		{"encoded slash", NODECODE, "/a/%2e%2e/b%20", "/b "},
		{"encoded slash", OFF, "/a%20b", "/a b"},
		{"empty segment", ON, "//", "//"},
		{"empty segment", ON, "//a///b//", "//a///b//"},
		{"empty segment", ON, "/a//../b", "/a/b"},
		{"empty segment", ON, "//..", "/"},
		{"empty segment", MERGE, "//", "/"},
		{"empty segment", MERGE, "//a///b//", "/a/b/"},
		{"empty segment", MERGE, "/a//../b", "/b"},
		{"empty segment", MERGE, "/a%2F%2Fb", "/a/b"},
	};
	char *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ssize_t len = run(rows[i].path, rows[i].rule, &got);

		if (len != (ssize_t)strlen(rows[i].resolved) ||
			memcmp(got, rows[i].resolved, (size_t)len) != 0)
			fail_msg("%s: %s became %.*s (%zd), not %s",
				rows[i].section, rows[i].path,
				len < 0 ? 0 : (int)len, got, len,
				rows[i].resolved);
		free(got);
	}
}

static void
test_paths_that_lead_nowhere_are_refused(void **state)
{
	static const struct {
		const char *section;
		int rule, status;
		const char *path;
	} rows[] = {
		{"3986 5.2.4", ON, 400, "/.."},
		{"3986 5.2.4", ON, 400, "/../"},
		{"3986 5.2.4", ON, 400, "/../etc/passwd"},
		{"3986 5.2.4", ON, 400, "/a/../../a"},
		{"3986 5.2.4", ON, 400, "/./.."},
		{"3986 5.2.4", ON, 400, "/%2e%2e/"},
		{"3986 5.2.4", ON, 400, "/.%2E/a"},
		{"3986 5.2.4", ON, 400, "/a/..%2f..%2fetc"},
		{"3986 5.2.4", ON, 400, "/%2e%2e%2f"},
		{"3986 5.2.4", NODECODE, 400, "/a/../../b"},
		{"3986 5.2.4", MERGE, 400, "//.."},
		{"3986 7.3", ON, 400, "/%00"},
		{"3986 7.3", ON, 400, "/a%00.html"},
		{"3986 2.1", ON, 400, "/%"},
		{"3986 2.1", ON, 400, "/%4"},
		{"3986 2.1", ON, 400, "/%zz"},
		{"3986 2.1", ON, 400, "/%4g"},
		{"3986 2.1", ON, 400, "/100%/a"},
		{"3986 2.1", ON, 400, "/%u0041"},
		{"encoded slash", OFF, 404, "/a%2Fb"},
		{"encoded slash", OFF, 404, "/%2f"},
	};
	char *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ssize_t rc = run(rows[i].path, rows[i].rule, &got);

		if (rc != -rows[i].status)
			fail_msg("%s: %s is %zd, not -%d", rows[i].section,
				rows[i].path, rc, rows[i].status);
		free(got);
	}
}

/* Is what the application sees the path where it came, and not a copy? */
static bool
stays(const char *text, int rule)
{
	struct str path = str_of(text), seen;
	struct buf memory = {0};
	const char *why;
	char *resolved;
	ssize_t len = run(text, rule, &resolved);

	assert_int_equal(
		path_find(path, &rules[rule], &memory, &seen, &why), 0);
	assert_int_equal(seen.len, len);
	assert_memory_equal(seen.p, resolved, seen.len);
	free(resolved);
	buf_fini(&memory);
	return seen.p == path.p;
}

static void
test_a_path_that_is_plain_stays_where_it_is(void **state)
{
	static const struct {
		const char *path;
		bool plain, merges; /* plain with MergeSlashes too */
	} rows[] = {
		{"/", true, true},
		{"/a/b.c/d", true, true},
		{"/a//b", true, false},
		{"/a/", true, true},
		{"/.a", false, false},
		{"/a/..", false, false},
		{"/a%20", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(stays(rows[i].path, ON), rows[i].plain);
		assert_int_equal(stays(rows[i].path, MERGE), rows[i].merges);
	}
}

static void
test_a_mount_point_is_cut_off_between_segments(void **state)
{
	static const struct {
		int rule;
		const char *path, *seen; /* NULL: it is refused */
		int status;              /* < 0: not as it is outside */
	} rows[] = {
		{ON, "/shop", "", 0},
		{ON, "/shop/", "/", 0},
		{ON, "/shop/a/b", "/a/b", 0},
		{ON, "/shop//a", "//a", 0},
		{ON, "/%73hop/a%20b", "/a b", 0},
		{ON, "/x/../shop/a", "/a", 0},
		{ON, "/shop%2Fa", "/a", 0},
		{MERGE, "//shop//a", "/a", 0},
		{ON, "/shopping", NULL, 404},
		{ON, "/sho", NULL, 404},
		{ON, "/", NULL, 404},
		{ON, "/Shop", NULL, 404},
		{ON, "//shop", NULL, 404},
		{ON, "/a/shop", NULL, 404},
		{ON, "/shop/../a", NULL, 404},
		{ON, "/shop/%2e%2e/shopping", NULL, 404},
		{NODECODE, "/shop%2Fa", NULL, 404},
		{OFF, "/shop%2Fa", NULL, -404},
		{ON, "/shop/../..", NULL, -400},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct path_rules below = rules[rows[i].rule];
		struct str seen = STR("");
		struct buf memory = {0};
		const char *why = NULL;
		int rc;

		below.mount = STR("/shop");
		rc = path_find(
			str_of(rows[i].path), &below, &memory, &seen, &why);
		if (rc != -abs(rows[i].status) ||
			(why == path_outside) != (rows[i].status > 0) ||
			(rc == 0 && !str_equal(seen, str_of(rows[i].seen))))
			fail_msg("%s: %d, %.*s", rows[i].path, rc,
				(int)seen.len, seen.p);
		buf_fini(&memory);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_become_what_they_mean),
		cmocka_unit_test(test_paths_that_lead_nowhere_are_refused),
		cmocka_unit_test(test_a_path_that_is_plain_stays_where_it_is),
		cmocka_unit_test(
			test_a_mount_point_is_cut_off_between_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
