/*
 * accept_mutex_priv.h - what a mechanism provides.
 */
#ifndef WSGID_LOCK_ACCEPT_MUTEX_PRIV_H
#define WSGID_LOCK_ACCEPT_MUTEX_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lock/accept_mutex.h"

/* Each mechanism lives in the file of its name and is listed once, in
 * accept_mutex.c.  The functions do what the function of the same name in
 * accept_mutex.h says; those from interrupt on may be NULL. */
struct accept_mutex_mechanism {
	const char *name;
	size_t size; /* of its own structure, which begins with accept_mutex */

	int (*create)(struct accept_mutex *m,
		const struct accept_mutex_settings *settings, struct err *err);
	int (*export_fd)(struct accept_mutex *m);
	int (*attach)(struct accept_mutex *m, struct err *err);
	int (*lock)(struct accept_mutex *m);
	int (*unlock)(struct accept_mutex *m);

	void (*interrupt)(struct accept_mutex *m);
	void (*bury)(struct accept_mutex *m, pid_t pid);
	void (*orphan)(struct accept_mutex *m);
	/* Show of a new mutex, as far as one process can, that it excludes and
	 * that its holder may die. */
	int (*prove)(struct accept_mutex *m, struct err *err);
	/* What an administrator should know about this errno, or NULL. */
	const char *(*explain)(int code);
	/* Undo create or attach; accept_mutex.c closes the descriptor. */
	void (*destroy)(struct accept_mutex *m);

	bool takes_file;
	bool trusts; /* a child can write to it, or remove it */
};

/* The beginning of every mechanism's own structure. */
struct accept_mutex {
	const struct accept_mutex_mechanism *how;
	int fd;       /* what children are given, or its like; ours */
	pid_t home;   /* where create or attach was called: in a forked process
		       * this is a copy, and mappings are not there */
	bool created; /* not attached */
};

/* Remove the semaphores noted in the directory by name, which is ours, or by
 * one whose server is dead. */
int sysvsem_sweep(const char *run_directory, const char *name,
	const struct accept_mutex *but);

extern const struct accept_mutex_mechanism accept_mutex_none;
extern const struct accept_mutex_mechanism accept_mutex_pthread;
extern const struct accept_mutex_mechanism accept_mutex_fcntl;
extern const struct accept_mutex_mechanism accept_mutex_flock;
extern const struct accept_mutex_mechanism accept_mutex_sysvsem;
extern const struct accept_mutex_mechanism accept_mutex_posixsem;

#endif
