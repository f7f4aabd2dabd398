/*
 * sendfile.h - the body of a response that is a regular file.
 *
 * sendfile(2) takes it from the page cache to the socket.  What the client does
 * not take at once the ring finishes: it waits until there is room and costs
 * no worker.
 */
#ifndef WSGID_CHILD_SENDFILE_H
#define WSGID_CHILD_SENDFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct connection;
struct engine;

/* Of a connection, while there is something of it to send. */
struct sendfile {
	bool exists;
	int fd; /* our own */
	int64_t offset;
	uint64_t left;
	struct buf head; /* of the response; goes before it */
};

/* For a request that runs, without the GIL: send the head that is in c->out and
 * then len bytes of the file from offset, as far as the socket takes them now.
 * fd is taken.  What is left stays in c->file for sendfile_go_on.  0, or a
 * negative errno that stays in c->error. */
int sendfile_begin(struct engine *e, struct connection *c, int fd,
	int64_t offset, uint64_t len);

/* The request is over and something of a file is left, or there is room for more of
 * it. */
void sendfile_go_on(struct engine *e, struct connection *c);

/* As much of it as there is room for, whoever calls while the engine is his: 0
 * when all is out, -EAGAIN, or another negative errno that stays in c->error. */
int sendfile_push(struct engine *e, struct connection *c);

/* How many bytes of the file are left; of the head: send_left. */
uint64_t sendfile_left(const struct connection *c);

/* Let go of the file; nothing happens if there is none. */
void sendfile_end(struct engine *e, struct connection *c);

#endif
