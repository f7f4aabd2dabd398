/*
 * heritage.h - what one master leaves to the next.
 *
 * A master that upgrades itself starts its program anew and leaves it
 * descriptors, which stay open across the exec, and a memory file that says
 * what they are: lines of words, as on the control socket.  The next one may
 * be of another version, so the first line has a number, and a key that is
 * not known is passed over.
 */
#ifndef WSGID_MASTER_HERITAGE_H
#define WSGID_MASTER_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "mpm/mpm.h"
#include "net/address.h"

struct err;

/* "PID FD": of the process that it is for, and of the memory file. */
#define HERITAGE_VARIABLE "WSGID_HERITAGE"

enum heritage_way {
	HERITAGE_BESIDE,   /* the next one takes over when it is ready */
	HERITAGE_TRIAL,    /* it shows that it could, and ends */
	HERITAGE_IN_PLACE, /* the same process, which has become the next */
	HERITAGE_WAYS,
};

struct heritage_listener {
	int fd;
	bool passed; /* by systemd */
	bool made;   /* its socket file, which is this one */
	dev_t device;
	ino_t inode;
	int bucket; /* EVERY_BUCKET: not one's alone */
	char asked[ADDRESS_TEXT];
};

struct heritage_file {
	int fd; /* holds the lock; -1: there is none */
	char *path;
};

/* Only in place: the children of before. */
struct heritage_child {
	unsigned slot;
	pid_t pid;
	unsigned generation;
	enum lifecycle life;
	int channel; /* -1: it is deaf */
	unsigned workers;
	int64_t deadline_ns; /* monotonic; INT64_MAX: none; 0: not told */
};

/* Where the words of a process are read. */
struct heritage_output {
	int fd;
	pid_t pid;
	int begun; /* a memory file of what was read and not said; or -1 */
};

struct heritage {
	enum heritage_way way;
	pid_t from;           /* the predecessor */
	int report;           /* what it hears how it goes by; -1 in place */
	unsigned generation;  /* the last number that was given */
	unsigned children;    /* that serve now */
	unsigned buckets;     /* of the listeners */
	struct rlimit files;  /* as it was found, for the children */
	int give, take;       /* the pool socket */
	unsigned pool_format; /* handoff_format of the predecessor */
	struct heritage_file own, named;
	struct heritage_listener *listeners;
	size_t n_listeners;
	struct heritage_child *nursery;
	size_t n_nursery;
	struct heritage_output *outputs;
	size_t n_outputs;
	int unsaid;         /* lines of the log that nobody has read yet; or -1 */
	unsigned long lost; /* and so many that were not kept */
	long long secret;   /* of the lines of children: log_secret */
	int *clients; /* of the control socket; they wait for the upgrade */
	size_t n_clients;
};

/* Without any descriptor. */
void heritage_init(struct heritage *h);
/* Close what nobody has taken. */
void heritage_fini(struct heritage *h);

/* The descriptors are somebody else's after all: close none of them. */
void heritage_disown(struct heritage *h);

/* 0 or -ENOMEM. */
int heritage_add_listener(
	struct heritage *h, const struct heritage_listener *listener);
int heritage_add_child(struct heritage *h, const struct heritage_child *child);
int heritage_add_output(
	struct heritage *h, const struct heritage_output *output);
int heritage_add_client(struct heritage *h, int fd);

/* As text, and back.  0 or a negative errno; decode checks that the numbers
 * make sense, not that the descriptors are open. */
int heritage_encode(const struct heritage *h, struct buf *to);
int heritage_decode(struct heritage *ret, struct str text, struct err *err);

/* Call with each descriptor that there is; a negative result ends it and is
 * returned. */
int heritage_each_fd(
	const struct heritage *h, int (*call)(int fd, void *arg), void *arg);

#endif
