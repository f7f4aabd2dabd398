/*
 * doctor.c - what "wsgid --doctor" has found.  See doctor.h.
 */
#include "wsgictl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/defs.h"
#include "wsgictl/document.h"

/* How people are told each; what is not here is for programs alone. */
static const struct {
	const char *key, *title;
	bool many; /* in JSON always a list */
} table[] = {
	{"program", "child program", false},
	{"compiled_for", "compiled for Python", false},
	{"running", "running Python", false},
	{"executable", "sys.executable", false},
	{"prefix", "sys.prefix", false},
	{"base_prefix", "sys.base_prefix", false},
	{"path", "sys.path", true},
	{"soabi", "SOABI", false},
	{"linkage", "linkage of Python", false},
	{"libpython", "mapped libpython", true},
	{"library_of_the_build", "Python's library at the build", false},
	{"looked_for_in", "which was looked for in", false},
	{"gil", "GIL", false},
	{"bits", "bits", false},
	{"soname", "soname", false},
	{"io_uring", "io_uring", false},
	{"user", "user", false},
	{"limit_open_files", "open files", false},
	{"limit_processes", "processes", false},
	{"limit_core", "coredump", false},
	{"memory_of", "memory of", false},
	{"memory_private_kib", "private memory, KiB", false},
	{"memory_shared_kib", "shared memory, KiB", false},
	{"children", "child", true},
	{"application", "application imports", false},
	{"notice", "notice", true},
	{"problem", "PROBLEM", true},
};

/* Cut the next line into key and value; false behind the last one.  What is no
 * such line is the application's own output, and passed over. */
static bool
next_finding(
	const char **at, char *key, size_t size, const char **value, int *len)
{
	while (**at != '\0') {
		const char *line = *at, *end = strchrnul(line, '\n');
		const char *colon = strstr(line, ": ");

		*at = *end == '\n' ? end + 1 : end;
		if (colon == NULL || colon > end ||
			(size_t)(colon - line) >= size)
			continue;
		snprintf(key, size, "%.*s", (int)(colon - line), line);
		*value = colon + 2;
		*len = (int)(end - *value);
		return true;
	}
	return false;
}

static int
row_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].key, key) == 0)
			return (int)i;
	return -1;
}

/* All of what there may be many; of the others the last, which is stronger. */
static void
put_text(struct buf *to, size_t row, const char *findings)
{
	const char *at = findings, *value, *last = NULL;
	char key[64];
	int len, last_len = 0;

	while (next_finding(&at, key, sizeof(key), &value, &len)) {
		if (strcmp(key, table[row].key) != 0)
			continue;
		if (last != NULL && table[row].many)
			buf_printf(to, "%-24s %.*s\n", table[row].title,
				last_len, last);
		last = value;
		last_len = len;
	}
	if (last != NULL)
		buf_printf(
			to, "%-24s %.*s\n", table[row].title, last_len, last);
}

int
doctor_text(struct buf *to, const char *findings)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		put_text(to, i, findings);
	return buf_failed(to) ? -ENOMEM : 0;
}

/* A path need not be UTF-8. */
static json_t *
text_of(const char *value, int len)
{
	json_t *text = json_stringn(value, (size_t)len);

	return text != NULL ? text : json_null();
}

/* A child's numbers are numbers; whatever else is a text. */
static json_t *
one_of_many(const char *key, const char *value, int len)
{
	long pid, own, shared;

	if (strcmp(key, "children") != 0 ||
		sscanf(value, "pid %ld: %ld KiB private, %ld KiB shared", &pid,
			&own, &shared) != 3)
		return text_of(value, len);
	return json_pack("{s:I, s:I, s:I}", "pid", (json_int_t)pid,
		"private_kib", (json_int_t)own, "shared_kib",
		(json_int_t)shared);
}

int
doctor_json(struct buf *to, const char *findings, bool well)
{
	json_t *o = json_object();
	const char *at = findings, *value;
	char key[64];
	int len;

	(void)json_object_set_new(o, "well", json_boolean(well));
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		(void)json_object_set_new(o, table[i].key,
			table[i].many ? json_array() : json_null());
	while (next_finding(&at, key, sizeof(key), &value, &len)) {
		int row = row_of(key);

		if (row >= 0 && table[row].many)
			(void)json_array_append_new(json_object_get(o, key),
				one_of_many(key, value, len));
		else if (row >= 0)
			(void)json_object_set_new(o, key, text_of(value, len));
	}
	return document_write(to, o);
}
