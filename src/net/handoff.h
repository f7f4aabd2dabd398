/*
 * handoff.h - giving a connection to whichever sibling is idle.
 *
 * The children of a pool share one SOCK_SEQPACKET pair, the pool socket: all
 * of them hold both ends.  Who cannot serve a connection now sends it there,
 * the descriptor with the bytes read so far; an idle child receives it as it
 * would accept.  While all are busy the messages wait in the socket, in order.
 *
 * The other end runs foreign code, so what is received is checked: one record
 * that is well-formed, and one connected stream socket.
 */
#ifndef WSGID_NET_HANDOFF_H
#define WSGID_NET_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/str.h"

enum { HANDOFF_INLINE = 16 * 1024 }; /* more bytes travel in a memfd */

/* What the socket does not tell of its other end. */
struct handoff_peer {
	uint8_t awaits; /* the PROXY protocol, that it must or may begin with:
			 * the giver's word for it, below HANDOFF_AWAITS */
	uint8_t known;  /* it has come, and the ends are these */
	uint8_t tls;    /* likewise: of the client, with whom told it */
	uint8_t reserved;
	struct ip remote, local;
	uint16_t remote_port, local_port;
};

enum { HANDOFF_AWAITS = 3 };

struct handoff {
	int fd;              /* the connection; after receiving ours to close,
	                      * close-on-exec */
	unsigned requests;   /* begun on it */
	int64_t deadline_ns; /* monotonic: when its client has waited too long;
	                      * INT64_MAX = never */
	int64_t since_ns;    /* monotonic: its request waits since then; 0 =
	                      * it has sent nothing of one, or not all */
	struct handoff_peer peer;
	/* The part of a request that its client is sending: which, in the giver's
	 * words, since when, and how much of it has come. */
	uint32_t part;
	int64_t began_ns;
	uint64_t part_bytes;
	/* A file that stands behind the head in bytes; after receiving ours to
	 * close.  There is none where its length is 0. */
	int spool;
	uint64_t spool_len;
	struct str bytes; /* read and not consumed */
};

/* Of a client who has just connected: nothing of him has been read.  awaits as in
 * struct handoff_peer. */
struct handoff handoff_of_client(int fd, uint8_t awaits, bool tls);

/* Room for a received handoff's bytes. */
struct handoff_room {
	char inline_bytes[HANDOFF_INLINE];
	char *spilled; /* freed by handoff_room_fini; NULL = not needed */
};

/* The pool socket: *give to send to, *take to receive from; both non-blocking
 * and close-on-exec.  0 or a negative errno. */
int handoff_pair(int *give, int *take);

/* What messages look like, as a number: another version with the same one
 * understands them. */
unsigned handoff_format(void);

/* Send.  0; -EAGAIN when the pool is full, or too many descriptors of this
 * user are under way: try again later; -EPIPE when somebody has shut the
 * socket; or another negative errno.  The
 * caller's descriptor stays open and is the caller's to close: by close(2)
 * alone, never by shutdown(2), which would reach the receiver's. */
int handoff_send(int give, const struct handoff *h);

/* Send an empty message: it wakes one idle child, which then looks whether
 * there is something to accept. */
int handoff_nudge(int give);

enum handoff_result { HANDOFF_CONNECTION = 1, HANDOFF_NUDGE = 2 };

/* Receive one.  An enum handoff_result; -EAGAIN when there is none; -EPROTO
 * for something that is no handoff (it is dropped, its descriptors closed);
 * -EPIPE when somebody has shut the socket and there will be no more;
 * -EMFILE when there is no descriptor for one, and then it is left to others;
 * or another negative errno.  bytes point into room. */
int handoff_receive(int take, struct handoff *ret, struct handoff_room *room);
void handoff_room_fini(struct handoff_room *room);

#endif
