/*
 * scripted.h - a client, an io and an application that do as a test says.
 *
 * The unit tests of child/ link no io engine and no Python: this defines
 * their functions.  A test queues what the client sends and how the
 * application behaves, runs the real engine until nothing is left to happen,
 * and looks at what came out.
 */
#ifndef WSGID_TESTS_CHILD_SCRIPTED_H
#define WSGID_TESTS_CHILD_SCRIPTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "child/engine.h"
#include "config/config.h"
#include "python/app.h"

enum { SCRIPT_STEPS = 512 };

enum step_kind {
	STEP_DATA,   /* the client's bytes arrive */
	STEP_EOF,    /* the client ends its side */
	STEP_ERROR,  /* receiving fails with ECONNRESET */
	STEP_RETIRE, /* the master says CHANNEL_RETIRE */
	STEP_FINISH, /* the master says CHANNEL_FINISH */
	STEP_POOL,   /* the pool becomes readable */
	STEP_STOP,   /* the master says CHANNEL_STOP */
	STEP_DOOR,   /* the listener becomes readable ... */
	STEP_DOOR_AND_STOP, /* ... and the master says CHANNEL_STOP */
};

/* An accept that is cancelled. */
enum cancelled_accept {
	ACCEPT_ENDS,
	ACCEPT_SUCCEEDS, /* as somebody has just come */
	ACCEPT_STAYS,    /* as no io does */
};

struct step {
	enum step_kind kind;
	const char *text;
	size_t len;
};

struct script {
	struct engine engine;
	struct config config;
	struct clients *clients;
	bool forked;
	struct wsgid_page page;
	struct wsgid_worker worker;
	struct wsgid_page_map map;
	int channel[2]; /* the master's end, the child's */
	uint64_t most_requests;
	int pool[2]; /* give and take; -1 until script_with_pool */
	int client;  /* the far end of the connection's socket */
	bool opened;
	int listener; /* -1 until script_with_listener */
	bool accepting;
	enum cancelled_accept cancelled_accept;
	int newcomer; /* the client's end of what script_connect has made; or -1 */

	struct step steps[SCRIPT_STEPS];
	size_t n_steps, step;
	size_t buffers_out; /* receive buffers not released */
	bool receiving;
	bool receives_many; /* as was asked for: it goes on either way */
	void *receiver;
	bool client_takes_nothing; /* sends never complete */
	bool no_room;    /* its socket is full, whatever a wait for room says, */
	int room_result; /* which is this, if it is not 0 */
	size_t (*drain)(int fd); /* by it the client makes room in its socket */
	size_t drained;
	void (*supply)(int fd); /* by it the client sends on through its socket */
	unsigned waits_for_room;

	/* What came out: by io, or by the socket and taken by script_take. */
	struct buf sent;
	unsigned sends;
	unsigned calls; /* of the application */
	unsigned dropped, forgotten;
	bool closed;

	/* The application. */
	void (*app)(struct script *s, struct app_exchange *x);
	struct buf read; /* what it has read */
	ssize_t last_read;
	const struct app_exchange *last;
};

/* A fresh script with a configuration that fits. */
struct script *script_new(void);
void script_free(struct script *s);

/* With siblings to give connections to. */
void script_with_pool(struct script *s);

/* With a door to the world; and somebody comes to it. */
void script_with_listener(struct script *s);
void script_connect(struct script *s);

void script_send(struct script *s, const char *text);
void script_send_bytes(struct script *s, const char *data, size_t len);
void script_step(struct script *s, enum step_kind kind);

/* Open the connection and let everything happen. */
void script_run(struct script *s);

/* Take what the socket has; also done before io sends, and at the end. */
void script_take(struct script *s);

/* How often it was sent; and fail unless it was. */
unsigned count(struct script *s, const char *what);
void assert_sent(struct script *s, const char *what);

/* Applications. */
void app_hello(struct script *s, struct app_exchange *x);
void app_read_all(struct script *s, struct app_exchange *x);

#endif
