/*
 * instance.c - finding the server that is meant.  See instance.h.
 */
#include "wsgictl/instance.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/file.h"
#include "base/pidfile.h"
#include "base/rundir.h"
#include "built_with.h"
#include "config/config.h"
#include "scoreboard/scoreboard.h"
#include "wsgictl/command.h"
#include "wsgictl/process.h"
#include "wsgictl/say.h"

enum {
	DIRECTORIES = RUNDIR_PLACES + 1, /* one more by a configuration */
	LATER_US = 5000000, /* a process that began so long after the board
	                      * was written has only the pid of the master */
};

/* What is looked for. */
struct search {
	char *directories[DIRECTORIES];
	size_t n_directories;
	size_t own;        /* so many of them, and the rest only when nothing is
	             * found there */
	char *name;        /* NULL: any */
	char *pid_file;    /* NULL: NAME.pid in the directory */
	char *config_file; /* which says so; or NULL */
	bool by_file;      /* the name is that of the file */
};

static const char *const suffixes[] = {".pid", ".ctl", ".scoreboard"};

/* --- one instance --------------------------------------------------------- */

static void
instance_fini(struct instance *i)
{
	free(i->name);
	free(i->directory);
	free(i->control);
	free(i->board);
	free(i->pid_file);
	free(i->new_pid_file);
	free(i->other_file);
}

static char *
path_of(const char *directory, const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", directory, name, suffix) < 0 ? NULL
								       : path;
}

/* The pid that the scoreboard tells, when that process can be the master;
 * 0 when not, a negative errno when the scoreboard cannot be read. */
static pid_t
ask_board(struct instance *i)
{
	struct scoreboard_view *view;
	struct wsgid_board board;
	struct process process;
	struct err err = {0};
	int64_t latest;

	if (i->board == NULL)
		return -ENOENT;
	if (scoreboard_open(&view, i->board, &err) < 0)
		return -err.code;
	scoreboard_read_board(view, &board);
	scoreboard_close(view);
	i->start_us = board.start_us;
	if (board.master_pid <= 0 ||
		process_read(board.master_pid, &process) < 0)
		return 0;
	latest = board.updated_us > board.start_us ? board.updated_us
						   : board.start_us;
	return process.began_us <= latest + LATER_US ? board.master_pid : 0;
}

/* NAME.pid in the directory is another server's than that of the pid file:
 * then so are the socket and the scoreboard. */
static bool
is_another(const struct instance *i)
{
	AUTO_FREE char *own = path_of(i->directory, i->name, ".pid");
	pid_t owner = own != NULL ? pidfile_holder(own) : 0;

	return owner > 0 && owner != pidfile_holder(i->pid_file);
}

char *
instance_config_file(const struct instance *i)
{
	struct scoreboard_view *view;
	struct wsgid_board board;
	struct err err = {0};

	if (i->board == NULL || scoreboard_open(&view, i->board, &err) < 0)
		return NULL;
	scoreboard_read_board(view, &board);
	scoreboard_close(view);
	return board.config_file[0] != '\0' ? strdup(board.config_file) : NULL;
}

static bool
has_read(const struct instance *i, const char *config_file)
{
	AUTO_FREE char *read = instance_config_file(i);

	return read != NULL && config_file != NULL &&
	       file_is_same(read, config_file);
}

/* Another one that is called the same.  One that has been moved may be this. */
static char *
find_other_file(const struct instance *i, const char *config_file)
{
	char *read = instance_config_file(i);

	if (read == NULL || strcmp(read, config_file) == 0 ||
		access(read, F_OK) < 0 || file_is_same(read, config_file)) {
		free(read);
		return NULL;
	}
	return read;
}

/* PidFile was changed under the server: what is its own is in the directory. */
static int
take_own_pid_file(struct instance *i)
{
	i->new_pid_file = i->pid_file;
	i->pid_file = path_of(i->directory, i->name, ".pid");
	return i->pid_file != NULL ? 0 : -ENOMEM;
}

/* By the lock, or where there is no pid file by the scoreboard. */
static void
find_state(struct instance *i)
{
	pid_t by_board = ask_board(i);
	pid_t holder = i->pid_file != NULL ? pidfile_holder(i->pid_file) : 0;
	struct process process;

	i->has_pid_file = i->pid_file != NULL && holder != 0;
	if (holder > 0) {
		i->state = INSTANCE_RUNNING;
		i->pid = holder;
	} else if (holder == -EINVAL) {
		/* Locked, and its number not written yet. */
		i->state = INSTANCE_RUNNING;
		i->pid = by_board > 0 ? by_board : 0;
	} else if (holder == -ESRCH) {
		i->state = INSTANCE_DEAD;
	} else if (holder < 0) {
		i->state = INSTANCE_UNKNOWN;
		i->unread = -holder;
	} else if (by_board > 0) {
		i->state = INSTANCE_RUNNING;
		i->pid = by_board;
	} else if (by_board == 0) {
		i->state = INSTANCE_DEAD;
	} else if (by_board == -EACCES) {
		i->state = INSTANCE_UNKNOWN;
		i->unread = EACCES;
	} else {
		i->state = i->control != NULL && access(i->control, F_OK) == 0
				   ? INSTANCE_DEAD
				   : INSTANCE_ABSENT;
	}
	if (i->pid > 0 && process_read(i->pid, &process) == 0)
		i->stopped = process_is_stopped(&process);
}

static int
add(struct instances *l, const struct search *s, const char *directory,
	const char *name)
{
	struct instance i = {0};
	struct instance *more =
		reallocarray(l->list, l->n + 1, sizeof(*l->list));
	bool is_other;

	if (more == NULL)
		return -ENOMEM;
	l->list = more;
	i.name = strdup(name);
	if (directory != NULL) {
		i.directory = strdup(directory);
		i.control = path_of(directory, name, ".ctl");
		i.board = path_of(directory, name, ".scoreboard");
	}
	if (s->pid_file != NULL)
		i.pid_file = strdup(s->pid_file);
	else if (directory != NULL)
		i.pid_file = path_of(directory, name, ".pid");
	if (i.name == NULL ||
		(directory != NULL &&
			(i.directory == NULL || i.control == NULL ||
				i.board == NULL || i.pid_file == NULL)) ||
		(s->pid_file != NULL && i.pid_file == NULL)) {
		instance_fini(&i);
		return -ENOMEM;
	}
	is_other = directory != NULL && s->pid_file != NULL && is_another(&i);
	if (is_other && has_read(&i, s->config_file))
		is_other = take_own_pid_file(&i) < 0;
	if (!is_other)
		find_state(&i);
	if (i.state == INSTANCE_RUNNING && s->by_file)
		i.other_file = find_other_file(&i, s->config_file);
	if (i.state == INSTANCE_ABSENT) {
		instance_fini(&i);
		return 0;
	}
	l->list[l->n++] = i;
	return 0;
}

/* --- directories ----------------------------------------------------------- */

static bool
is_listed(const struct instances *l, const char *directory, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->list[i].name, name) == 0 &&
			l->list[i].directory != NULL &&
			strcmp(l->list[i].directory, directory) == 0)
			return true;
	return false;
}

/* No configuration of wsgid has such a name, and in a list it would be a line
 * of its own. */
static bool
has_control_character(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			return true;
	return false;
}

/* "shop.pid" gives "shop"; NULL for a name that none of ours has. */
static char *
name_of(const char *entry)
{
	size_t len = strlen(entry);

	if (has_control_character(entry))
		return NULL;

	for (size_t i = 0; entry[0] != '.' && i < ARRAY_LEN(suffixes); i++) {
		size_t end = strlen(suffixes[i]);

		if (len > end && strcmp(entry + len - end, suffixes[i]) == 0)
			return strndup(entry, len - end);
	}
	return NULL;
}

static int
look_for_any(struct instances *l, const struct search *s, const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	int rc = 0;

	if (d == NULL) {
		l->barred |= errno == EACCES;
		return 0;
	}
	while (rc == 0 && (entry = readdir(d)) != NULL) {
		char *name = name_of(entry->d_name);

		if (name != NULL && !is_listed(l, directory, name))
			rc = add(l, s, directory, name);
		free(name);
	}
	closedir(d);
	return rc;
}

static int
by_name(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0 || x->directory == NULL || y->directory == NULL)
		return order;
	return strcmp(x->directory, y->directory);
}

static bool
has_file(const char *directory, const char *name, const char *suffix)
{
	AUTO_FREE char *path = path_of(directory, name, suffix);

	return path != NULL && access(path, F_OK) == 0;
}

static bool
has_more_than_a_pid_file(const struct instance *i)
{
	return i->directory != NULL &&
	       (has_file(i->directory, i->name, ".ctl") ||
		       has_file(i->directory, i->name, ".scoreboard"));
}

/* PidFile can lie in the run directory, too: a second one of the same master. */
static bool
is_second_pid_file(const struct instances *l, const struct instance *i)
{
	if (i->state != INSTANCE_RUNNING || i->pid <= 0 ||
		i->directory == NULL || has_more_than_a_pid_file(i))
		return false;
	for (size_t n = 0; n < l->n; n++)
		if (l->list[n].pid == i->pid &&
			has_more_than_a_pid_file(&l->list[n]) &&
			strcmp(l->list[n].directory, i->directory) == 0)
			return true;
	return false;
}

static void
drop_second_pid_files(struct instances *l)
{
	for (size_t n = l->n; n-- > 0;) {
		if (!is_second_pid_file(l, &l->list[n]))
			continue;
		instance_fini(&l->list[n]);
		l->list[n] = l->list[--l->n];
	}
}

/* The other files of its server lie beside it where nobody has written PidFile:
 * "run/shop.pid" is of shop, in run. */
static int
look_beside(struct instances *l, const struct search *s)
{
	const char *slash = strrchr(s->pid_file, '/');
	AUTO_FREE char *directory =
		slash == NULL
			? strdup(".")
			: strndup(s->pid_file,
				  slash == s->pid_file
					  ? 1
					  : (size_t)(slash - s->pid_file));
	AUTO_FREE char *name = name_of(slash == NULL ? s->pid_file : slash + 1);

	if (directory == NULL)
		return -ENOMEM;
	if (name == NULL || !(has_file(directory, name, ".scoreboard") ||
				    has_file(directory, name, ".ctl")))
		return 0;
	return add(l, s, directory, name);
}

/* With a pid file alone: the instance whose files are those of its pid, or
 * of its name. */
static int
look_by_pid_file(struct instances *l, const struct search *s)
{
	const struct search any = {0};
	struct instances all = {0};
	pid_t pid = pidfile_holder(s->pid_file);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n_directories; i++)
		rc = look_for_any(&all, &any, s->directories[i]);
	drop_second_pid_files(&all);
	for (size_t i = 0; rc == 0 && i < all.n && l->n == 0; i++) {
		const struct instance *found = &all.list[i];
		bool same = found->pid_file != NULL &&
			    strcmp(found->pid_file, s->pid_file) == 0;

		if (same || (pid > 0 && found->pid == pid))
			rc = add(l, s, found->directory, found->name);
	}
	if (rc == 0 && l->n == 0)
		rc = look_beside(l, s);
	if (rc == 0 && l->n == 0)
		rc = add(l, s, NULL, s->pid_file);
	instances_fini(&all);
	return rc;
}

static int
look(struct instances *l, const struct search *s)
{
	int rc = 0;

	if (s->name == NULL && s->pid_file != NULL)
		rc = look_by_pid_file(l, s);
	for (size_t i = 0; rc == 0 && i < s->n_directories; i++) {
		if (i == s->own && l->n > 0)
			break;
		if (s->name != NULL &&
			!is_listed(l, s->directories[i], s->name))
			rc = add(l, s, s->directories[i], s->name);
		else if (s->name == NULL && s->pid_file == NULL)
			rc = look_for_any(l, s, s->directories[i]);
	}
	drop_second_pid_files(l);
	if (l->n > 1)
		qsort(l->list, l->n, sizeof(*l->list), by_name);
	return rc;
}

/* Where it was looked, for the case that nothing is found. */
static void
describe(struct instances *l, const struct search *s)
{
	if (s->pid_file != NULL) {
		buf_printf(&l->looked, "the pid file %s", s->pid_file);
		if (s->name == NULL)
			return;
		buf_add_text(&l->looked, " and ");
	}
	buf_printf(&l->looked, "%s.pid, .ctl and .scoreboard in",
		s->name != NULL ? s->name : "*");
	for (size_t i = 0; i < s->n_directories; i++) {
		const char *directory = s->directories[i];

		buf_printf(&l->looked, "%s %s",
			i == 0                     ? ""
			: i + 1 < s->n_directories ? ","
						   : " and",
			directory);
		if (access(directory, F_OK) < 0 && errno == ENOENT)
			buf_add_text(&l->looked, " (there is none)");
		else if (access(directory, R_OK | X_OK) < 0)
			buf_add_text(&l->looked, " (you may not look there)");
	}
}

static int
run(struct instances *l, struct search *s, struct err *err)
{
	int rc = look(l, s);

	describe(l, s);
	for (size_t i = 0; i < s->n_directories; i++)
		free(s->directories[i]);
	free(s->name);
	free(s->pid_file);
	free(s->config_file);
	return rc < 0 ? err_set(err, -rc, "looking for servers") : 0;
}

/* --- what is meant ---------------------------------------------------------- */

static void
add_directory(struct search *s, char *directory)
{
	size_t len = directory != NULL ? strlen(directory) : 0;

	while (len > 1 && directory[len - 1] == '/')
		directory[--len] = '\0';
	for (size_t i = 0; i < s->n_directories; i++)
		if (directory != NULL &&
			strcmp(s->directories[i], directory) == 0)
			len = 0;
	if (len == 0 || s->n_directories == DIRECTORIES)
		free(directory);
	else
		s->directories[s->n_directories++] = directory;
}

/* systemd's is that of the unit that we are called in. */
static void
add_places(struct search *s)
{
	add_directory(s, rundir_place(RUNDIR_RUNTIME));
	s->own = s->n_directories;
	for (int place = 0; place < RUNDIR_PLACES; place++)
		add_directory(s, rundir_place((enum rundir_place)place));
}

/* NAME alone stands for a configuration of that name, as for systemd's
 * templates; nothing at all for the default one. */
static char *
choose_config(const struct command *c)
{
	char *path = NULL;

	if (c->config_file != NULL)
		return strdup(c->config_file);
	if (c->pid_file != NULL)
		return NULL;
	if (c->name == NULL)
		path = strdup(DEFAULT_CONFIG);
	else if (asprintf(&path, "%s/wsgid/%s.conf", SYSCONFDIR, c->name) < 0)
		path = NULL;
	if (path != NULL && access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static void
say_unread(const struct config *config, const char *path, int code,
	struct err *err)
{
	const struct config_message *message = config_message(config, 0);

	if (code == EACCES)
		err_setx(err, EACCES,
			"you may not read the configuration %s; try sudo",
			path);
	else if (message != NULL)
		err_setx(err, code, "configuration %s", message->text);
	else
		err_set(err, code, "configuration %s", path);
}

/* The file that belongs to the choice, and the environment, read as far as
 * they can be; NULL and a reason when they cannot. */
static struct config *
read_config(const struct command *c, struct err *err)
{
	AUTO_FREE char *path = choose_config(c);
	struct config *config = config_create();
	struct config_machine machine = {.cpus = 1};
	int rc = 0;

	if (config == NULL) {
		err_set(err, ENOMEM, "configuration");
		return NULL;
	}
	if (path != NULL)
		rc = config_read_file(config, path);
	if (rc < 0) {
		say_unread(config, path, -rc, err);
		config_destroy(config);
		return NULL;
	}
	config_read_environment(config, environ);
	/* Mistakes are the server's business; what can be read is enough to
	 * find it. */
	(void)config_settle(config, &machine);
	return config;
}

static int
copy(char **to, const char *text)
{
	if (text == NULL)
		return 0;
	*to = strdup(text);
	return *to != NULL ? 0 : -ENOMEM;
}

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

/* What was said here is stronger than what the configuration says. */
static int
plan(struct search *s, const struct command *c, const struct config *config)
{
	bool by_config =
		c->config_file != NULL || is_set("WSGID_RUN_DIRECTORY");
	const char *name = c->name, *pid_file = c->pid_file;
	int rc;

	if (c->run_directory != NULL)
		add_directory(s, strdup(c->run_directory));
	else if (config->run_directory != NULL)
		add_directory(s, strdup(config->run_directory));
	/* Whoever named nothing may mean any. */
	if (s->n_directories == 0 || (c->run_directory == NULL && !by_config))
		add_places(s);
	if (name == NULL && c->config_file != NULL)
		name = config->name;
	if (pid_file == NULL && (name != NULL || is_set("WSGID_PID_FILE")))
		pid_file = config->pid_file;
	rc = copy(&s->name, name);
	if (rc == 0)
		rc = copy(&s->pid_file, pid_file);
	/* A pid file that was named here is meant as it is. */
	if (rc == 0 && c->pid_file == NULL)
		rc = copy(&s->config_file, config->file);
	s->by_file = s->config_file != NULL && c->config_file != NULL &&
		     c->name == NULL;
	return rc;
}

int
instances_find(struct instances *ret, const struct command *c, struct err *err)
{
	struct config *config = read_config(c, err);
	struct search s = {0};
	int rc;

	*ret = (struct instances){0};
	if (config == NULL)
		return -err->code;
	rc = plan(&s, c, config);
	config_destroy(config);
	if (rc < 0)
		return err_set(err, -rc, "looking for servers");
	return run(ret, &s, err);
}

int
instances_find_configured(
	struct instances *ret, const struct config *c, struct err *err)
{
	struct search s = {0};
	int rc;

	*ret = (struct instances){0};
	if (c->run_directory != NULL)
		add_directory(&s, strdup(c->run_directory));
	else
		add_places(&s);
	rc = copy(&s.name, c->name);
	if (rc == 0)
		rc = copy(&s.pid_file, c->pid_file);
	if (rc == 0)
		rc = copy(&s.config_file, c->file);
	s.by_file = s.config_file != NULL && c->name != NULL;
	if (rc < 0)
		return err_set(err, -rc, "looking for servers");
	return run(ret, &s, err);
}

void
instance_say_change(const struct instance *i)
{
	if (i->new_pid_file != NULL)
		say_to(stderr,
			"PidFile %s is new in the configuration, and the "
			"running server does not have it: that needs a stop "
			"and a start\n",
			i->new_pid_file);
}

void
instances_fini(struct instances *l)
{
	for (size_t i = 0; i < l->n; i++)
		instance_fini(&l->list[i]);
	free(l->list);
	buf_fini(&l->looked);
	*l = (struct instances){0};
}

/* --- the one ------------------------------------------------------------------ */

static const char *
state_word(const struct instance *i)
{
	switch (i->state) {
	case INSTANCE_RUNNING:
		return i->stopped ? "stopped by a signal" : "running";
	case INSTANCE_DEAD:
		return "dead";
	case INSTANCE_UNKNOWN:
		return i->unread == EACCES ? "unknown: you may not look"
		       : i->unread == ELOOP
			       ? "unknown: its pid file is a symbolic link"
			       : "unknown: its pid file cannot be read";
	case INSTANCE_ABSENT:
		break;
	}
	return "absent";
}

static void
list(const struct instances *l, int code, const char *what, struct err *err)
{
	struct buf text = {0};

	buf_printf(&text, "%s; choose one with --name%s:", what,
		l->n > 1 && strcmp(l->list[0].name, l->list[1].name) == 0
			? " or --run-directory"
			: "");
	for (size_t i = 0; i < l->n; i++) {
		const struct instance *one = &l->list[i];

		if (code == E2BIG && one->state != INSTANCE_RUNNING)
			continue;
		buf_printf(&text, "\n  %-16s", one->name);
		if (one->pid > 0)
			buf_printf(&text, " pid %-8d", (int)one->pid);
		else
			buf_add_text(&text, "             ");
		buf_printf(&text, " %s, in %s", state_word(one),
			one->directory != NULL ? one->directory
					       : one->pid_file);
	}
	err_setx(err, code, "%s", buf_text(&text));
	buf_fini(&text);
}

const struct instance *
instances_choose(struct instances *l, struct err *err)
{
	const struct instance *running = NULL;
	bool all_seen = true;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		all_seen &= l->list[i].state != INSTANCE_UNKNOWN;
		if (l->list[i].state != INSTANCE_RUNNING)
			continue;
		running = &l->list[i];
		n++;
	}
	if (n == 1)
		return running;
	if (l->n == 1)
		return &l->list[0];
	if (n > 1)
		list(l, E2BIG, "several servers run", err);
	else if (l->n > 1 && !all_seen)
		list(l, EACCES, "no server is seen to run, but some may", err);
	else if (l->n > 1)
		list(l, ESRCH, "no server runs, but several have left files",
			err);
	else
		err_setx(err, l->barred ? EACCES : ENOENT,
			"no server was found; looked for %s%s",
			buf_text(&l->looked), l->barred ? "; try sudo" : "");
	return NULL;
}
