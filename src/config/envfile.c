/*
 * envfile.c - EnvironmentFile.  See envfile.h.
 */
#include "config/envfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/links.h"
#include "base/str.h"
#include "config/config.h"

enum {
	FILE_MAX = 1024 * 1024,
	ENTRY_MAX = 128 * 1024, /* execve(2)'s, with the NUL */
};

/* Where the reading is.  The entries are gathered one behind the other, each
 * with its NUL. */
struct reading {
	const char *path;
	unsigned line;
	const char *p; /* NUL-terminated */
	struct buf out;
	size_t n;
	struct config *told; /* of all mistakes; NULL: the first ends it */
};

static int
wrong(const struct reading *r, const char *sentence, struct err *err)
{
	return err_setx(err, EINVAL, "%s:%u: %s", r->path, r->line, sentence);
}

static void
skip_blanks(struct reading *r)
{
	r->p += strspn(r->p, " \t\r");
}

static void
skip_line(struct reading *r)
{
	r->p += strcspn(r->p, "\n");
}

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i], letter = (char)(c | 0x20);

		if (c != '_' && (letter < 'a' || letter > 'z') &&
			(i == 0 || c < '0' || c > '9'))
			return false;
	}
	return s.len > 0;
}

static int
take_name(struct reading *r, struct err *err)
{
	struct str name;

	if (strncmp(r->p, "export", 6) == 0 &&
		(r->p[6] == ' ' || r->p[6] == '\t')) {
		r->p += 6;
		skip_blanks(r);
	}
	name = (struct str){r->p, strcspn(r->p, "=\n")};
	if (r->p[name.len] != '=') {
		skip_line(r);
		return wrong(r, "\"=\" is missing; a line is NAME=VALUE", err);
	}
	r->p += name.len + 1;
	name = str_trim(name);
	if (!is_name(name))
		return wrong(r,
			"what stands before \"=\" is no name: letters, digits "
			"and \"_\", no digit first",
			err);
	buf_add_str(&r->out, name);
	buf_add_char(&r->out, '=');
	return 0;
}

/* A backslash between double quotes, and what it stands before.  One that means
 * nothing is itself: Windows' paths and regular expressions are full of them. */
static void
take_escape(struct reading *r)
{
	static const char letters[] = "ntr\"\\$`", meant[] = "\n\t\r\"\\$`";
	const char *which = r->p[1] != '\0' ? strchr(letters, r->p[1]) : NULL;

	if (which == NULL) {
		buf_add_char(&r->out, '\\');
		return;
	}
	buf_add_char(&r->out, meant[which - letters]);
	r->p++;
}

/* Over lines, too. */
static int
take_quoted(struct reading *r, struct err *err)
{
	unsigned first = r->line;
	char quote = *r->p++;

	for (; *r->p != quote; r->p++) {
		if (*r->p == '\0') {
			r->line = first;
			return wrong(r, "the quote has no end", err);
		}
		r->line += *r->p == '\n';
		if (quote == '"' && *r->p == '\\')
			take_escape(r);
		else
			buf_add_char(&r->out, *r->p);
	}
	r->p++;
	skip_blanks(r);
	if (*r->p == '#')
		skip_line(r);
	if (*r->p != '\n' && *r->p != '\0')
		return wrong(
			r, "something stands behind the quoted value", err);
	return 0;
}

/* A comment behind it has a blank before it: "#" alone may be part of it. */
static int
take_plain(struct reading *r, struct err *err)
{
	struct str value = {r->p, strcspn(r->p, "\n")};

	(void)err;
	r->p += value.len;
	/* Before its first character there is at least the "=". */
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] == '#' &&
			(value.p[i - 1] == ' ' || value.p[i - 1] == '\t'))
			value.len = i;
	while (value.len > 0 && strchr(" \t\r", value.p[value.len - 1]))
		value.len--;
	return buf_add_str(&r->out, value);
}

/* Behind what is no name there is a value, too, and maybe lines of it. */
static int
take_line(struct reading *r, struct err *err)
{
	size_t before = r->out.len;
	int rc, name;

	skip_blanks(r);
	if (*r->p == '\n' || *r->p == '\0')
		return 0;
	if (*r->p == '#' || *r->p == ';') {
		skip_line(r);
		return 0;
	}
	name = take_name(r, err);
	if (name < 0)
		err = NULL; /* a sentence a line */
	skip_blanks(r);
	rc = *r->p == '"' || *r->p == '\'' ? take_quoted(r, err)
					   : take_plain(r, err);
	if (name < 0)
		return name;
	buf_add_char(&r->out, '\0');
	r->n++;
	if (rc == 0 && r->out.len - before > ENTRY_MAX)
		return wrong(r,
			"name and value are longer than the 131071 bytes that "
			"a program's environment can hold of one",
			err);
	return rc;
}

/* The pointers, and behind them the texts. */
static char **
make_list(const struct reading *r)
{
	size_t before = (r->n + 1) * sizeof(char *);
	char **list = malloc(before + r->out.len + 1);
	char *text = (char *)list + before;

	if (list == NULL || buf_failed(&r->out)) {
		free(list);
		return NULL;
	}
	if (r->out.len > 0)
		memcpy(text, r->out.data, r->out.len);
	for (size_t i = 0; i < r->n; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	list[r->n] = NULL;
	return list;
}

static int
read_text(char **ret, const char *path, struct err *err)
{
	/* A pipe would have us wait for who writes to it. */
	AUTO_CLOSE int fd =
		links_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, err);
	struct stat st;
	size_t len;
	int rc = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;

	if (rc == -ELOOP)
		return rc;
	if (rc == 0 && !S_ISREG(st.st_mode))
		return err_setx(err, EINVAL, "%s is not a regular file", path);
	if (rc == 0)
		rc = fd_read_whole(fd, FILE_MAX, ret, &len);
	if (rc == -EFBIG)
		return err_setx(err, EFBIG,
			"%s is larger than %d bytes; is it a file of "
			"NAME=VALUE "
			"lines?",
			path, FILE_MAX);
	if (rc < 0)
		return err_set(err, -rc, "%s", path);
	if (strlen(*ret) != len)
		return err_setx(err, EINVAL, "%s has a NUL byte in it", path);
	return 0;
}

static int
read_lines(struct reading *r, const char *text, struct err *err)
{
	r->p = text;
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		r->p += 3; /* the mark of UTF-8 that Windows' editors write */
	while (*r->p != '\0') {
		int rc;

		r->line++;
		rc = take_line(r, err);
		if (rc < 0 && r->told == NULL)
			return rc;
		if (rc < 0) {
			config_blame(r->told, "EnvironmentFile", err->text);
			skip_line(r);
		}
		if (*r->p == '\n')
			r->p++;
	}
	return 0;
}

int
envfile_read(char ***ret, const char *path, struct err *err)
{
	AUTO_FREE char *text = NULL;
	struct reading r = {.path = path};
	char **list;
	int rc = read_text(&text, path, err);

	if (rc == 0)
		rc = read_lines(&r, text, err);
	list = rc == 0 ? make_list(&r) : NULL;
	buf_fini(&r.out);
	if (rc < 0)
		return rc;
	if (list == NULL)
		return err_set(err, ENOMEM, "%s", path);
	*ret = list;
	return 0;
}

void
envfile_check(struct config *c)
{
	AUTO_FREE char *text = NULL;
	struct reading r = {.path = c->environment_file, .told = c};
	struct err err = {0};

	if (read_text(&text, r.path, &err) < 0)
		config_blame(c, "EnvironmentFile", err.text);
	else
		(void)read_lines(&r, text, &err);
	buf_fini(&r.out);
}
