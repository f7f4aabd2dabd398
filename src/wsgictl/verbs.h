/*
 * verbs.h - what wsgictl can do: one function a verb.
 *
 * Each does it, waits for the effect, prints what it was, and returns the
 * exit code; what went wrong is a sentence in *err, which main prints.
 */
#ifndef WSGID_WSGICTL_VERBS_H
#define WSGID_WSGICTL_VERBS_H

struct command;
struct err;

/* start.c */
int verb_start(const struct command *c, struct err *err);
int verb_configtest(const struct command *c, struct err *err);
/* Which Python would serve what, and whether it can. */
int verb_doctor(const struct command *c, struct err *err);

/* stop.c */
int verb_stop(const struct command *c, struct err *err);
int verb_graceful_stop(const struct command *c, struct err *err);

/* reload.c */
int verb_reload(const struct command *c, struct err *err);
/* Starts the server when it does not run, as Apache does. */
int verb_restart(const struct command *c, struct err *err);
/* A new master, of the program that is installed now. */
int verb_upgrade(const struct command *c, struct err *err);

/* scale.c */
int verb_scale(const struct command *c, struct err *err);

/* status.c */
int verb_status(const struct command *c, struct err *err);
int verb_fullstatus(const struct command *c, struct err *err);
int verb_version(const struct command *c, struct err *err);

/* logs.c */
int verb_reopen_logs(const struct command *c, struct err *err);
int verb_log_level(const struct command *c, struct err *err);
/* Where the threads of children are, into the error log. */
int verb_stacks(const struct command *c, struct err *err);

#endif
