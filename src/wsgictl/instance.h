/*
 * instance.h - finding the server that is meant.
 *
 * A server is NAME in a run directory: NAME.pid with a lock on it,
 * NAME.ctl, NAME.scoreboard.  Any of them may be missing or left behind, and
 * PidFile may be a second one, elsewhere or here as well, or not yet, where the
 * configuration was changed: then the scoreboard says which one the server has
 * read.  Whether it lives is asked of the lock on the pid file, and without one
 * of the kernel about the pid that the scoreboard tells.
 */
#ifndef WSGID_WSGICTL_INSTANCE_H
#define WSGID_WSGICTL_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct command;
struct config;
struct err;

enum instance_state {
	INSTANCE_ABSENT,  /* nothing of it is there */
	INSTANCE_DEAD,    /* it left files behind */
	INSTANCE_UNKNOWN, /* the files cannot be read */
	INSTANCE_RUNNING,
};

struct instance {
	char *name;
	char *directory;    /* of the next two; NULL: not known */
	char *control;      /* the control socket's path */
	char *board;        /* the scoreboard's */
	char *pid_file;     /* NULL: there is none */
	bool has_pid_file;  /* it exists */
	char *new_pid_file; /* PidFile of the configuration that it serves, when
			     * that has been changed since; or NULL */
	char *other_file;   /* the configuration that it was started with, where
			   * another one of its name is looked for; or NULL */
	enum instance_state state;
	int unread;       /* UNKNOWN: why, a positive errno */
	pid_t pid;        /* of the master, when it runs */
	bool stopped;     /* by a signal */
	int64_t start_us; /* as its scoreboard says; 0: not known */
};

struct instances {
	struct instance *list;
	size_t n;
	/* Where it was looked, for people: "shop.pid in /run/wsgid". */
	struct buf looked;
	bool barred; /* at a directory that may not be looked into */
};

/* All that match what the command says, and without any choice all there
 * are.  0, or a negative errno and a sentence: -ENOENT or -EACCES when a file
 * that was named cannot be read. */
int instances_find(
	struct instances *ret, const struct command *c, struct err *err);

/* Those that a configuration stands for: name, run directory, pid file. */
int instances_find_configured(
	struct instances *ret, const struct config *c, struct err *err);

/* The configuration file that its scoreboard names, to be freed; NULL where it has none,
 * or that cannot be told. */
char *instance_config_file(const struct instance *i);

/* Tell on standard error what of the configuration its server does not have. */
void instance_say_change(const struct instance *i);

void instances_fini(struct instances *l);

/* The one that is meant: the only one that runs, or the only one.  NULL and
 * a sentence when there is none (ENOENT in err->code; EACCES where there may be
 * one that may not be looked at) or there are several
 * (E2BIG), or several that are dead (ESRCH); the sentence is a list then. */
const struct instance *instances_choose(struct instances *l, struct err *err);

#endif
