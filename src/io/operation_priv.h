/*
 * operation_priv.h - what the epoll engine has been asked to do, and lists of it.
 */
#ifndef WSGID_IO_OPERATION_PRIV_H
#define WSGID_IO_OPERATION_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "io/io.h"

struct operation {
	struct operation *next; /* in the queue, or one of the lists */
	void *owner;
	enum io_kind kind;
	int fd;
	int result;
	uint16_t buffer;
	bool queued;    /* a completion waits to be taken */
	bool more;      /* and it is not the last */
	bool received;  /* a piece is in buffer */
	bool first;     /* IO_RECEIVE: the next piece is the last */
	bool cancelled; /* so the last has still to come */

	/* IO_POLL of a set, which is fd: these are waited for, each by itself */
	const int *members;
	size_t n_members;

	const struct iovec *parts; /* IO_SEND */
	unsigned n_parts;
};

/* Begins with operations_clear. */
struct operation_list {
	struct operation *first, **tail;
};

void operations_clear(struct operation_list *list);

/* At its end; an operation is on one list at most. */
void operations_add(struct operation_list *list, struct operation *op);

/* Wherever it is; nothing happens when it is not there. */
void operations_remove(
	struct operation_list *list, const struct operation *op);

/* All of it: its first, and the list is empty. */
struct operation *operations_take(struct operation_list *list);

#endif
