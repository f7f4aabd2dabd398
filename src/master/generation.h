/*
 * generation.h - what the children of one generation have in common.
 */
#ifndef WSGID_MASTER_GENERATION_H
#define WSGID_MASTER_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "net/address.h"
#include "pythons/choose.h"

struct config;
struct config_listen;
struct err;
struct listener;
struct master;

enum { EVERY_BUCKET = -1 };

/* What the children of one generation have in common: made at start and by
 * each reload. */
struct generation {
	unsigned number;  /* 1 for the first */
	const char *name; /* of the instance, for the children; the master's */
	struct config *config;
	struct listener *listeners;
	/* As it was asked for, port 0 included; parallel to listeners. */
	char (*asked)[ADDRESS_TEXT];
	int *buckets;    /* whose they are: parallel, too; or EVERY_BUCKET */
	char *protocols; /* parallel, too: enum config_proxy_protocol, and
			  * CONFIG_LISTENER_HTTPS, as a digit, and a NUL
			  * behind them */
	size_t n_listeners;
	bool passed; /* they are systemd's */
	bool served; /* a child of it has been ready */
	int64_t cold_until_ns; /* no WSGIWarmUp: who tried did not come out */
	/* With several buckets each has a set, which its children wait on. */
	int *bucket_sets;
	bool *lent; /* the listeners of this bucket are in all sets */
	unsigned n_buckets;
	int set;       /* listen_make_set of them, or -1 for one listener */
	int config_fd; /* sealed memfd with the configuration's text */
	int *logs;     /* access logs, as many as config->n_access_logs */
	size_t n_logs;
	int error_log;               /* -1: standard error */
	struct python_choice python; /* the program of its children: python.c */
	char **environment;          /* theirs */
	char **entries;              /* of EnvironmentFile: in it */
	char *identity[6];           /* HOME, ... of another user: in it */
	bool of_another;             /* is its user, and root the master's */
};

/* Make what the configuration asks for; sockets of before (or NULL) that
 * have the same address are shared with it.  Takes the configuration over
 * unless it fails. */
int generation_create(struct generation **ret, struct master *m,
	struct config *c, const struct generation *before, struct err *err);

/* Room for n listeners of a server before this one, and nothing else; NULL when
 * memory is short. */
struct generation *generation_before(size_t n);

/* Append a duplicate of a socket that somebody else goes on owning. */
int generation_share(struct generation *g, const struct listener *l,
	const char *asked, int bucket, struct err *err);

/* Those from first on are what a Listen asked for, and speak as it says. */
void generation_mark(
	struct generation *g, size_t first, const struct config_listen *l);

/* Write down anew what its children read: when the master's name has been chosen
 * after the first generation was made, say, and nobody has its text yet. */
int generation_write_config(struct generation *g, struct err *err);

/* Say so when the kernel has cut SendBufferSize or ReceiveBufferSize. */
void generation_check_buffers(const struct generation *g);

/* g replaces before: the socket files become g's to remove, and what both have
 * listens, and is whose, as g's configuration says. */
void generation_succeed(struct generation *g, struct generation *before);

/* Open the logs anew, under the names that they have.  On failure the old
 * ones stay. */
int generation_reopen_logs(struct generation *g, struct err *err);

/* For the children that will be started; until the next reload. */
int generation_set_log_level(
	struct generation *g, enum log_level level, struct err *err);

/* Another number of children; likewise. */
int generation_set_processes(struct generation *g, long n, struct err *err);

/* A listener that has been shut for good: another one at the same address. */
int generation_open_again(struct generation *g, size_t i, struct err *err);

/* The epoll sets that its children wait on, where there are several listeners
 * (make_set, buckets.c): as listen_set_mend, and new ones for new children. */
bool generation_has_sets(const struct generation *g);
int generation_mend_sets(const struct generation *g);
int generation_renew_sets(struct generation *g, struct err *err);

/* Accept no more: close the listeners, remove socket files. */
void generation_close_listeners(struct generation *g);
void generation_destroy(struct generation *g);

#endif
