/*
 * command.h - the command line of wsgictl, taken apart.
 *
 * Options that choose the server may stand anywhere.  What stands behind
 * "start", "configtest" and "doctor" and is none of ours goes on to wsgid.
 */
#ifndef WSGID_WSGICTL_COMMAND_H
#define WSGID_WSGICTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* How wsgictl ends; those of "status" are the init scripts' (LSB). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* a failed reload too: the old generation goes on */
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_DENIED = 4,
	EXIT_CONFIG = 5,
	EXIT_LATE = 6, /* not done within --wait */

	STATUS_RUNNING = 0,
	STATUS_UNREADY = 1, /* with --ready */
	STATUS_DEAD = 1,    /* and its pid file is there */
	STATUS_STOPPED = 3,
	STATUS_UNKNOWN = 4,
};

enum verb {
	VERB_NONE,
	VERB_HELP,
	VERB_START,
	VERB_STOP,
	VERB_RESTART,
	VERB_RELOAD,
	VERB_UPGRADE,
	VERB_SCALE,
	VERB_GRACEFUL_STOP,
	VERB_STATUS,
	VERB_FULLSTATUS,
	VERB_CONFIGTEST,
	VERB_DOCTOR,
	VERB_REOPEN_LOGS,
	VERB_LOG_LEVEL,
	VERB_STACKS,
	VERB_VERSION,
};

struct command {
	enum verb verb;

	/* Which server; NULL: not said. */
	const char *config_file;
	const char *pid_file;
	const char *name;
	const char *run_directory;

	bool json;
	bool ready; /* that it runs is not enough */
	bool query; /* query strings are asked for */
	bool now;
	int64_t wait_ms; /* -1: as long as it takes */
	const char *log_level;
	const char *processes; /* of scale; digits alone */
	const char *child;     /* of stacks; likewise */

	/* For wsgid: NULL-terminated, the texts are argv's. */
	const char **rest;
	size_t n_rest;
};

/* 0, or -EINVAL and a sentence.  The texts of *ret are argv's. */
int command_parse(struct command *ret, int argc, char **argv, struct err *err);
void command_fini(struct command *c);

/* "start, stop, ... and version", for sentences. */
void command_list_verbs(char *to, size_t size);

#endif
