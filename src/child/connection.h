/*
 * connection.h - one client, from accept to close.
 *
 * A connection belongs to one engine and is on at most one of its lists: the
 * queue of those with bytes to look at, or one of the lists of those that wait
 * for something and must not wait for ever.  Only the one whose request runs is
 * on none, so that a forked copy finds all that it must close.  Its memory may go when no
 * operation of it is under way (in_flight is 0), and not before.
 */
#ifndef WSGID_CHILD_CONNECTION_H
#define WSGID_CHILD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"
#include "child/pace.h"
#include "child/progress.h"
#include "child/report.h"
#include "child/sendfile.h"
#include "child/spool.h"
#include "config/config.h"
#include "http/chunked.h"
#include "http/request.h"
#include "net/handoff.h"
#include "python/app.h"

struct engine;

enum connection_state {
	CONNECTION_READING,    /* waits for a head, or the rest of one */
	CONNECTION_PARKED,     /* kept alive; nothing of the next request yet */
	CONNECTION_COLLECTING, /* head is there, waits for the body's rest */
	CONNECTION_QUEUED,     /* has bytes that nobody has looked at */
	CONNECTION_RUNNING,    /* its request is with the application */
	CONNECTION_SENDING,    /* the end of its response is going out */
	CONNECTION_SKIPPING,   /* answered; the rest of its body comes */
	CONNECTION_LEAVING,    /* is to be given to a sibling */
	CONNECTION_LINGERING,  /* said all; reads what the client still sends */
	CONNECTION_CLOSING,    /* its last operations are ending */
};

/* At a time: what was kept before, out, data and tail. */
enum { CONNECTION_PARTS = 4 };

struct connection_list {
	struct connection *first, *last;
	uint32_t n;
};

/* What is still to come of a body that the application has not read, and is
 * passed over before the next request. */
struct connection_rest {
	bool exists;
	bool chunked;
	uint64_t left; /* not chunked: all of it; chunked: the most */
};

struct connection {
	struct connection *next, *prev;
	struct connection_list *list; /* NULL = on none */
	int64_t deadline_ns;          /* while on a list that has one */
	uint32_t watched; /* epoll's bits: what the watcher looks for */
	uint32_t reign;   /* the engine's when that wait began */
	uint32_t round;   /* QUEUED: the engine's when it was */
	struct pace pace; /* of what it is to send */
	int64_t heard_ns; /* when it sent last, or began to be waited for */
	int64_t hurry_ns; /* the wait for it ends then, whatever comes */
	struct progress
		progress; /* SENDING, SKIPPING; RUNNING while it waits */

	int fd;
	enum connection_state state;
	unsigned in_flight; /* operations under way */
	bool receiving;     /* one of them is IO_RECEIVE ... */
	bool receives_many; /* ... and does not end with the next piece */
	bool paused;        /* it is to end, and not to begin anew by itself */
	bool sending;       /* one of them is IO_SEND */
	bool withdrawn;     /* which comes to nothing: the watcher sends */
	bool awaits_room;   /* one of them is IO_WRITABLE */
	bool awaits_input;  /* one of them is IO_READABLE */
	bool direct;        /* RUNNING: the body is not received: direct.h */
	bool input_came;    /* so that there is something to read */
	bool sends_much;    /* by now it has: it is not received ahead */
	bool hung_up;       /* PARKED, and shut by the watcher: hangup.c */
	bool at_eof;        /* the client will send no more */
	bool foreign;       /* came from a sibling, which may still hold it */
	bool keep;          /* goes on after the response under way */
	bool pushed;        /* RUNNING: parts have the end of its response */
	bool to_close;   /* the end of the response is the connection's ... */
	bool broken_off; /* ... and not what it was to be */
	bool client_closes; /* the client asked for the close: it sends no more */
	int error;          /* receiving or sending failed: a negative errno */

	/* unread.c: what is not consumed yet is in, or where that is empty the
	 * piece. */
	struct buf in;
	struct str piece;
	uint16_t piece_buffer;

	struct request_scan scan; /* READING: how far in has been looked at */
	size_t need;              /* COLLECTING: input that makes it whole */
	struct chunked chunked;   /* COLLECTING a chunked body: what looks for
	                           * its end; of the running request: the
	                           * decoder */
	size_t framed;      /* COLLECTING: bytes looked at behind the head */
	uint64_t data_len;  /* likewise: of the data in them */
	struct buf body;    /* RUNNING: what of it was decoded before */
	struct spool spool; /* COLLECTING, RUNNING: what came behind the head
			     * and before the rest of the input */
	struct connection_rest rest; /* SENDING, SKIPPING */

	struct buf out;
	struct buf kept;   /* of the response, by send_piece: not sent so far */
	int64_t pushed_ns; /* RUNNING: when a piece of it was last sent at once */
	struct iovec parts[CONNECTION_PARTS]; /* what is to be sent */
	unsigned part, n_parts;
	const struct iovec *more; /* behind them: what is held, or gathered */
	size_t n_more;
	struct iovec window[CONNECTION_PARTS]; /* its beginning, that is under
						* way */
	unsigned n_window;
	void *held;           /* keeps the data alive: app_drop */
	void *spent;          /* has done so: spent.h */
	struct connection *next_spent;
	struct sendfile file; /* goes behind the parts */
	struct report_untold untold; /* SENDING */

	int64_t patience_ns; /* LEAVING: when its client has waited too long */
	int64_t since_ns;    /* its next request waits since then; 0 = there is
			      * none, or not all of it */
	unsigned requests;   /* begun */
	uint64_t bytes_in, bytes_out;
	uint64_t reported_in; /* bytes_in when the last request was reported */
	int64_t linger_end_ns;

	/* The other end, and ours: peer.c. */
	struct handoff_peer told;
	bool trusted;         /* is believed about his clients */
	struct app_peer peer; /* as text, in what follows */
	int remote_port, local_port;
	char remote_addr[IP_TEXT], local_addr[IP_TEXT]; /* "": a Unix socket */
	char ports[2][8];
};

/* Lists.  Adding takes the connection off the list it was on. */
void connection_list_add(struct connection_list *list, struct connection *c);
void connection_list_remove(struct connection *c);

/* A connection is about to be taken, from a listener or from the pool: from
 * here on it goes down with this process.  False once it has been taken, or
 * there was none. */
void connection_expect(struct engine *e, bool expected);

/* How many all workers of this child hold. */
uint32_t connection_total(const struct engine *e);

/* A connection for an accepted socket of a listener that speaks so, one of enum
 * config_proxy_protocol with or without CONFIG_LISTENER_HTTPS, receiving
 * already, unless the client has left; or -ENOMEM, and the socket is closed. */
int connection_open(struct engine *e, int fd, int protocol);

/* The same for one that a sibling gave away; what it brought is looked at in
 * this turn. */
struct connection *connection_adopt(
	struct engine *e, const struct handoff *handoff);

/* It is to be given away: off its list, asked for no more. */
void connection_leave(struct engine *e, struct connection *c);

/* Before its descriptor is closed: who cannot see otherwise that a response is not
 * whole sees it by a reset. */
void connection_reset_if_cut(const struct connection *c);

/* It has been given away: its descriptor is closed, and nothing else. */
void connection_let_go(struct engine *e, struct connection *c);

/* So many bytes have come, which somebody has taken out of the socket. */
void connection_heard(
	const struct engine *e, struct connection *c, size_t len);

/* Something was received: keep it, and queue the connection if it was waiting
 * for input. */
void connection_received(struct engine *e, struct connection *c, char *data,
	size_t len, uint16_t buffer);

/* Wait for the rest of a head, or until the input is need bytes long. */
void connection_await_head(struct engine *e, struct connection *c);
void connection_collect(struct engine *e, struct connection *c, size_t need);

/* When a client that is to send must have sent: Timeout is for each piece, and
 * RequestReadTimeout for all of them.  It is later for each piece that comes. */
int64_t connection_read_deadline(
	const struct engine *e, const struct connection *c);

/* What has been waited for as long as it seemed: may it still come? */
bool connection_may_wait(struct engine *e, struct connection *c);

/* The response is going out: wait until it has, as long as its client is seen
 * to take something within Timeout. */
void connection_await_sent(struct engine *e, struct connection *c);

/* It has been waited for as long as that may be before one looks at it: does it
 * take what it is sent, so that it is waited for on? */
bool connection_moves(struct engine *e, struct connection *c);

/* Is its response out, nothing of its request to come, and does it go on? */
bool connection_is_answered(const struct connection *c);

/* The response is out and nothing is held for it any more: pass over the rest
 * of the body, and go on with what has arrived, wait for the next request, or
 * close. */
void connection_answered(struct engine *e, struct connection *c);

/* Nothing of it is under way: go on with what has arrived, wait for the next
 * request, or close; while this child retires, give it to a sibling. */
void connection_go_on(struct engine *e, struct connection *c);

/* While the server stops a client that has nothing under way is waited for no
 * longer.  But the one that has connected or had an answer a moment ago has not
 * heard of it, and its request may be on the way: it has a second since then, and
 * the answer says Connection: close. */
void connection_await_last(const struct engine *e, struct connection *c);
/* Each of a list. */
void connection_await_last_all(
	const struct engine *e, struct connection_list *list);
/* When that second is over; INT64_MAX for who has something under way. */
int64_t connection_last_ns(const struct engine *e, const struct connection *c);

/* Say that there is no more to come, and read on for a while, so that a client
 * that is still sending gets the response and not a reset (RFC 9112 section
 * 9.6). */
void connection_linger(struct engine *e, struct connection *c);

/* Close as soon as its operations have ended. */
void connection_close(struct engine *e, struct connection *c);

/* To be called when an operation of a closing connection has ended: the socket
 * is closed and the connection given to the engine for burial when it was the
 * last. */
void connection_settle(struct engine *e, struct connection *c);

#endif
