/*
 * load.c - read a file, and the files that it includes.
 *
 * A mistake does not end the reading: it becomes a message, and the next
 * line is read, because people want to see all their mistakes at once.  What
 * an <IfDefine> leaves out is not looked at, except for the sections in it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "config/config_priv.h"
#include "config/define.h"
#include "config/lexer.h"

enum {
	FILE_BYTES = 4 << 20,
	EXPANDED_BYTES = 16 << 20, /* of all ${NAME}s */
	DEPTH = 20,                /* of Include */
	FILES = 2000,              /* in all, and directories */
	SECTIONS = 64,             /* one in another */
};

/* One file being read. */
struct reader {
	struct config *c;
	const char *name;
	const char *base; /* for relative paths in it; NULL = cannot be told */
	const struct reader *parent;
	unsigned depth;
	dev_t dev; /* of a file: who includes itself? */
	ino_t ino;
	struct lexer lexer;
	const char *where; /* of the line at hand */

	/* The <IfDefine>s that are open, and whether they hold. */
	unsigned n_sections;
	struct {
		bool holds;
		unsigned line;
	} sections[SECTIONS];

	/* Within a section that we do not know: its name, and how many of
	 * that name are open. */
	char unknown[64];
	unsigned n_unknown;
};

static void read_path(struct config *c, const struct reader *parent,
	const char *path, const char *where);

static bool
is_active(const struct reader *r)
{
	for (unsigned i = 0; i < r->n_sections; i++)
		if (!r->sections[i].holds)
			return false;
	return true;
}

/* ---- Include ------------------------------------------------------------ */

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* All files of a directory and of those below, as Apache does. */
static void
read_directory(struct config *c, const struct reader *parent, const char *path,
	const char *where)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, by_name);

	if (n < 0) {
		config_fail(c, where, NULL, "%s: %s", value_show(path).text,
			strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *file;

		if (value_absolute(&file, &c->priv->arena, path,
			    entries[i]->d_name, NULL) == 0)
			read_path(c, parent, file, where);
		free(entries[i]);
	}
	free(entries);
}

/* What was written is a pattern; the directory that it begins at is not, and
 * may be called w[x].  NULL when memory is short. */
static char *
pattern_of(const struct reader *r, const char *word, const char *path)
{
	struct buf b = {0};
	size_t base;
	char *ret;

	while (strncmp(word, "./", 2) == 0) /* not in the path */
		word += 2 + strspn(word + 2, "/");
	base = strlen(path) - strlen(word);
	for (size_t i = 0; i < base; i++) {
		if (strchr("*?[]\\", path[i]) != NULL)
			buf_add_char(&b, '\\');
		buf_add_char(&b, path[i]);
	}
	buf_add_text(&b, path + base);
	ret = buf_failed(&b) ? NULL : strdup(buf_text(&b));
	buf_fini(&b);
	if (ret == NULL)
		config_no_memory(r->c);
	return ret;
}

/* What is not there matches nothing. */
static int
is_wrong(const char *path, int error)
{
	(void)path;
	return error != ENOENT && error != ENOTDIR;
}

static void
read_matches(
	struct reader *r, const char *word, const char *path, bool optional)
{
	AUTO_FREE char *pattern = pattern_of(r, word, path);
	glob_t found;
	int rc;

	if (pattern == NULL)
		return;
	rc = glob(pattern, 0, is_wrong, &found);
	if (rc == GLOB_NOMATCH) {
		if (!optional)
			config_fail(r->c, r->where, NULL,
				"Include: no file matches \"%s\"; write "
				"IncludeOptional where that is all right",
				value_show(path).text);
	} else if (rc != 0) {
		config_fail(r->c, r->where, NULL,
			"Include: \"%s\" cannot be searched: a directory of "
			"it may not be read",
			value_show(path).text);
	} else {
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_path(r->c, r, found.gl_pathv[i], r->where);
	}
	globfree(&found);
}

static void
include(struct reader *r, const struct lexer_words *words)
{
	bool optional = strcasecmp(words->word[0], "IncludeOptional") == 0;
	struct config *c = r->c;
	struct err err = {0};
	const char *path;
	struct stat st;

	if (words->n != 2 || words->word[1][0] == '\0') {
		config_fail(c, r->where, words->word[0],
			"one file, directory or pattern is expected, as in "
			"\"%s conf.d/*.conf\"",
			words->word[0]);
		return;
	}
	if (value_absolute(
		    &path, &c->priv->arena, r->base, words->word[1], &err) < 0)
		config_fail(c, r->where, words->word[0], "%s", err.text);
	else if (strpbrk(words->word[1], "*?[") != NULL)
		read_matches(r, words->word[1], path, optional);
	else if (stat(path, &st) == 0 || errno != ENOENT || !optional)
		read_path(c, r, path, r->where);
}

/* ---- Define ------------------------------------------------------------- */

static void
define(struct reader *r, const struct lexer_words *words)
{
	int rc;

	if (words->n < 2 || words->n > 3) {
		config_fail(r->c, r->where, words->word[0],
			"a name and perhaps a value are expected, as in "
			"\"Define site /srv/site\"");
		return;
	}
	rc = define_add(r->c, str_of(words->word[1]),
		words->n == 3 ? words->word[2] : NULL, false);
	if (rc == -ENOMEM)
		config_no_memory(r->c);
	else if (rc < 0)
		config_fail(r->c, r->where, words->word[0],
			"\"%s\" is no name to define; letters, digits and "
			"\"_\" are expected",
			value_show(words->word[1]).text);
}

static void
undefine(struct reader *r, const struct lexer_words *words)
{
	if (words->n != 2)
		config_fail(r->c, r->where, words->word[0],
			"one name is expected, as in \"UnDefine site\"");
	else
		define_remove(r->c, str_of(words->word[1]));
}

/* ---- Sections ----------------------------------------------------------- */

/* "<NAME ARGUMENT>" or "</NAME>", taken apart. */
struct section_line {
	bool closes;
	char name[64];
	char argument[128];
};

static int
take_apart(struct section_line *ret, const char *text, struct err *err)
{
	const char *end = text + strlen(text) - 1;
	const char *p = text + 1;
	struct str argument;
	size_t len;

	if (*end != '>')
		return err_setx(err, EINVAL,
			"\"%s\": the line of a section ends with \">\"",
			value_show(text).text);
	ret->closes = *p == '/';
	p += ret->closes;
	len = strcspn(p, " \t>");
	argument = str_trim((struct str){p + len, (size_t)(end - (p + len))});
	if (len == 0 || len >= sizeof(ret->name) ||
		argument.len >= sizeof(ret->argument))
		return err_setx(err, EINVAL,
			"\"%s\" is not a section; only <IfDefine NAME> is",
			value_show(text).text);
	memcpy(ret->name, p, len);
	ret->name[len] = '\0';
	if (argument.len > 0)
		memcpy(ret->argument, argument.p, argument.len);
	ret->argument[argument.len] = '\0';
	return 0;
}

static void
open_section(struct reader *r, const char *argument, unsigned line)
{
	bool negated = argument[0] == '!';
	struct str name = str_of(argument + negated);

	if (name.len >= 2 && name.p[0] == '"' && name.p[name.len - 1] == '"')
		name = (struct str){name.p + 1, name.len - 2};
	if (!define_is_name(name)) {
		config_fail(r->c, r->where, NULL,
			"<IfDefine>: one name is expected, as in "
			"<IfDefine NAME> or <IfDefine !NAME>");
	}
	if (r->n_sections == SECTIONS) {
		config_fail(r->c, r->where, NULL,
			"<IfDefine>: more than %d are open; the rest of the "
			"file is not read",
			SECTIONS);
		r->lexer.p = r->lexer.end;
		r->n_sections = 0;
		return;
	}
	r->sections[r->n_sections].holds = define_exists(r->c, name) != negated;
	r->sections[r->n_sections++].line = line;
}

/* What a section holds that we do not know is no mistake of its own. */
static void
follow_unknown(struct reader *r, const struct section_line *s)
{
	if (strcasecmp(s->name, r->unknown) != 0)
		return;
	if (s->closes)
		r->n_unknown--;
	else
		r->n_unknown++;
}

static void
handle_section(struct reader *r, const struct lexer_line *line)
{
	struct section_line s;
	struct err err = {0};

	if (take_apart(&s, line->text, &err) < 0) {
		if (is_active(r) && r->n_unknown == 0)
			config_fail(r->c, r->where, NULL, "%s", err.text);
	} else if (r->n_unknown > 0) {
		follow_unknown(r, &s);
	} else if (strcasecmp(s.name, "IfDefine") == 0 && !s.closes) {
		open_section(r, s.argument, line->number);
	} else if (strcasecmp(s.name, "IfDefine") == 0) {
		if (r->n_sections > 0)
			r->n_sections--;
		else
			config_fail(r->c, r->where, NULL,
				"</IfDefine> closes nothing; there is no "
				"<IfDefine> before it in this file");
	} else if (is_active(r) && s.closes) {
		config_fail(r->c, r->where, NULL,
			"</%s> closes nothing; only <IfDefine> is a section",
			value_show(s.name).text);
	} else if (is_active(r)) {
		config_fail(r->c, r->where, NULL,
			"<%s> is not a section that wsgid has, only "
			"<IfDefine> is; what is in it is not read",
			value_show(s.name).text);
		memcpy(r->unknown, s.name, sizeof(s.name));
		r->n_unknown = 1;
	}
}

/* ---- Lines -------------------------------------------------------------- */

static void
unknown_directive(struct reader *r, const char *name)
{
	const char *advice = directive_foreign(name);
	const char *nearest = directive_nearest(name);

	if (advice != NULL)
		config_fail(r->c, r->where, value_show(name).text,
			"wsgid has no such directive: %s", advice);
	else if (nearest != NULL)
		config_fail(r->c, r->where, value_show(name).text,
			"there is no such directive; did you mean %s?",
			nearest);
	else
		config_fail(r->c, r->where, value_show(name).text,
			"there is no such directive; \"wsgid -L\" lists all");
}

static void
handle_directive(struct reader *r, const struct lexer_words *words)
{
	const char *name = words->word[0];
	const struct directive *row = directive_find(name);

	if (strcasecmp(name, "Include") == 0 ||
		strcasecmp(name, "IncludeOptional") == 0)
		include(r, words);
	else if (strcasecmp(name, "Define") == 0)
		define(r, words);
	else if (strcasecmp(name, "UnDefine") == 0)
		undefine(r, words);
	else if (row == NULL ||
		 (row->where == DIRECTIVE_DUMPED && !r->c->priv->may_be_dump))
		unknown_directive(r, name);
	else
		config_apply(r->c, CONFIG_FROM_FILE,
			&(struct directive_input){
				.row = row,
				.words = words->word + 1,
				.n = words->n - 1,
				.where = r->where,
				.base = r->base,
				.arena = &r->c->priv->arena,
			});
}

static const char *
place(struct reader *r, unsigned line)
{
	struct buf b = {0};
	const char *where;

	buf_printf(&b, "%s:%u", r->name, line);
	where = arena_copy(&r->c->priv->arena, b.data, b.len);
	buf_fini(&b);
	if (where == NULL)
		config_no_memory(r->c);
	return where != NULL ? where : "";
}

/* Each is short enough, but a file has many lines. */
static void
check_expanded(struct reader *r)
{
	struct config_private *priv = r->c->priv;

	if (priv->expanded <= EXPANDED_BYTES || priv->too_many)
		return;
	config_fail(r->c, r->where, NULL,
		"${NAME} stands for more than %d bytes in all; the rest is not "
		"read",
		EXPANDED_BYTES);
	priv->too_many = true;
}

static void
handle_line(struct reader *r, const struct lexer_line *line)
{
	struct lexer_words words;
	struct err err = {0};
	int rc;

	if (line->text[0] == '<') {
		handle_section(r, line);
		return;
	}
	if (!is_active(r) || r->n_unknown > 0)
		return;
	if (line->swallows) {
		config_warn(r->c, r->where, NULL,
			"this comment ends with a backslash, so the line "
			"behind it is a comment too");
		return;
	}
	rc = lexer_split(&words, line->text, &r->c->priv->arena, define_value,
		r->c, &err);
	if (rc == -ENOMEM)
		config_no_memory(r->c);
	else if (rc < 0)
		config_fail(r->c, r->where,
			words.n > 0 ? value_show(words.word[0]).text : NULL,
			"%s", err.text);
	else
		handle_directive(r, &words);
	check_expanded(r);
}

/* Editors of other systems begin a file with a mark. */
static void
check_mark(struct reader *r, const char **text, size_t *len)
{
	if (*len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
		config_fail(r->c, place(r, 1), NULL,
			"the file begins with a byte order mark; save it as "
			"UTF-8 without one");
		*text += 3;
		*len -= 3;
	} else if (*len >= 2 && (memcmp(*text, "\xff\xfe", 2) == 0 ||
					memcmp(*text, "\xfe\xff", 2) == 0)) {
		config_fail(r->c, place(r, 1), NULL,
			"the file is UTF-16; save it as UTF-8");
		*len = 0;
	}
}

static void
read_lines(struct reader *r, const char *text, size_t len)
{
	struct config_private *priv = r->c->priv;
	struct lexer_line line = {0};
	struct err err = {0};
	int rc;

	check_mark(r, &text, &len);
	lexer_init(&r->lexer, text, len);
	while ((rc = lexer_next(&r->lexer, &line, &err)) != 0) {
		if (priv->too_many || priv->no_memory)
			break;
		r->where = place(r, line.number);
		if (rc < 0)
			config_fail(r->c, r->where, NULL, "%s", err.text);
		else
			handle_line(r, &line);
	}
	if (rc == 0 && r->n_sections > 0)
		config_fail(r->c, place(r, r->sections[r->n_sections - 1].line),
			NULL,
			"<IfDefine> is not closed in this file; </IfDefine> "
			"is missing");
	lexer_fini(&r->lexer);
}

/* ---- Files -------------------------------------------------------------- */

/* The directory that relative paths in the file begin at. */
static const char *
directory_of(struct config *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *directory = NULL, *ret;
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	if (slash == path)
		len = 1;
	directory =
		slash != NULL ? arena_copy(&c->priv->arena, path, len) : ".";
	if (directory == NULL || value_absolute(&ret, &c->priv->arena, NULL,
					 directory, NULL) < 0)
		return NULL;
	return ret;
}

static int
open_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0) {
		rc = -errno;
		fd_close(&fd);
		return rc;
	}
	return fd;
}

/* Is this file or directory being read already, further up?  That would never end. */
static bool
includes_itself(const struct reader *parent, const struct stat *st)
{
	for (; parent != NULL; parent = parent->parent)
		if (parent->dev == st->st_dev && parent->ino == st->st_ino)
			return true;
	return false;
}

static int
check_chain(const struct reader *parent, const struct stat *st, struct err *err)
{
	if (includes_itself(parent, st))
		return err_setx(err, ELOOP, "it includes itself in the end");
	if (parent != NULL && parent->depth >= DEPTH)
		return err_setx(err, ELOOP,
			"Include goes more than %d files deep", DEPTH);
	return 0;
}

/* The name stands in messages, which are one line each. */
static bool
is_printable(const char *path)
{
	for (; *path != '\0'; path++)
		if ((unsigned char)*path < ' ' || *path == 0x7f)
			return false;
	return true;
}

static int
read_one(struct config *c, const struct reader *parent, const char *path,
	int fd, const struct stat *st, struct err *err)
{
	AUTO_FREE char *text = NULL;
	struct reader *r;
	size_t len;
	int rc;

	if (!S_ISREG(st->st_mode))
		return err_setx(err, EINVAL, "it is not a regular file");
	rc = check_chain(parent, st, err);
	if (rc < 0)
		return rc;
	if (!is_printable(path))
		return err_setx(
			err, EINVAL, "the name contains a control character");
	rc = fd_read_whole(fd, FILE_BYTES, &text, &len);
	if (rc == -EFBIG)
		return err_setx(err, EFBIG,
			"the file is larger than %d bytes; is it a "
			"configuration?",
			FILE_BYTES);
	if (rc < 0)
		return err_set(err, -rc, "reading it");
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return err_set(err, ENOMEM, "reading it");
	r->c = c;
	r->parent = parent;
	r->depth = parent != NULL ? parent->depth + 1 : 0;
	r->name = arena_copy(&c->priv->arena, path, strlen(path));
	r->base = directory_of(c, path);
	r->dev = st->st_dev;
	r->ino = st->st_ino;
	if (r->name != NULL)
		read_lines(r, text, len);
	else
		config_no_memory(c);
	free(r);
	return 0;
}

static void
read_path(struct config *c, const struct reader *parent, const char *path,
	const char *where)
{
	struct err err = {0};
	struct stat st;
	int fd, rc;

	if (c->priv->too_many || c->priv->no_memory)
		return;
	if (++c->priv->n_files > FILES) {
		config_fail(c, where, NULL,
			"Include: more than %d files and directories are "
			"included",
			FILES);
		return;
	}
	fd = open_file(path, &st);
	if (fd < 0) {
		config_fail(c, where, NULL, "Include: %s: %s%s",
			value_show(path).text, strerror(-fd),
			fd == -ENOENT ? "; write IncludeOptional where that "
					"is all right"
				      : "");
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		struct reader here = {
			.parent = parent,
			.depth = parent->depth + 1,
			.dev = st.st_dev,
			.ino = st.st_ino,
		};

		rc = check_chain(parent, &st, &err);
		if (rc == 0)
			read_directory(c, &here, path, where);
	} else {
		rc = read_one(c, parent, path, fd, &st, &err);
	}
	if (rc < 0)
		config_fail(c, where, NULL, "Include: %s: %s",
			value_show(path).text, err.text);
	fd_close(&fd);
}

void
config_call_file(struct config *c, const char *path)
{
	c->file = arena_copy(&c->priv->arena, path, strlen(path));
	if (c->file == NULL)
		config_no_memory(c);
}

int
config_read_file(struct config *c, const char *path)
{
	AUTO_CLOSE int fd = -1;
	struct err err = {0};
	struct stat st;
	int rc;

	fd = open_file(path, &st);
	if (fd < 0) {
		config_fail(
			c, value_show(path).text, NULL, "%s", strerror(-fd));
		return fd;
	}
	config_call_file(c, path);
	if (c->file == NULL)
		return -ENOMEM;
	rc = read_one(c, NULL, path, fd, &st, &err);
	if (rc < 0)
		config_fail(c, value_show(path).text, NULL, "%s", err.text);
	return rc;
}

int
config_read_text(
	struct config *c, const char *name, const char *text, size_t len)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		config_no_memory(c);
		return -ENOMEM;
	}
	r->c = c;
	r->name = name;
	c->priv->may_be_dump = true;
	read_lines(r, text, len);
	c->priv->may_be_dump = false;
	free(r);
	return 0;
}
