/*
 * engine.h - one worker's loop: its connections, its clock, its queue.
 *
 * An engine is one thread with one io.  It turns completions into states of
 * connections, and serves one request at a time, inline, on its own thread.
 * Whatever a request needs while it runs (more of its body, room to send) it
 * gets by turning the same loop without serving others: engine_wait.
 *
 * Handling an event never touches Python, because it also happens while an
 * application waits and the GIL is free.  What must be told to Python is put
 * aside (spent, buried) until the loop holds the GIL again.
 */
#ifndef WSGID_CHILD_ENGINE_H
#define WSGID_CHILD_ENGINE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "child/accept.h"
#include "child/access_log.h"
#include "child/connection.h"
#include "child/send.h"
#include "child/unique_id.h"
#include "config/config.h"
#include "http/date.h"
#include "http/forwarded.h"
#include "http/path.h"
#include "http/request.h"
#include "http/response.h"
#include "io/io.h"
#include "net/channel.h"
#include "net/handoff.h"
#include "python/app.h"
#include "scoreboard/scoreboard.h"

enum {
	ENGINE_EVENTS = 256, /* taken from io at once */
	ENGINE_SPARE = 64,   /* buffers and connections kept for the next */
	ENGINE_LONG_NS = 1000000, /* from here on a request is long: others are
	                           * better off with another worker */
};

struct engine_settings {
	const struct config *config;
	const int *listeners; /* descriptors; the engine does not close them */
	size_t n_listeners;
	int set;                    /* epoll set of several listeners, or -1 */
	bool in_buckets;            /* the set has only some of the listeners */
	int channel;                /* to the master */
	struct accept_mutex *mutex; /* NULL: none is needed */
	struct locker *locker;      /* likewise */
	struct balance *balance;
	bool alone; /* has a sibling only while it is being replaced */
	struct clients *clients;
	const struct descriptors *descriptors; /* the server's own */
	struct unbelieved *unbelieved; /* NULL: nothing is said of them */
	struct standard *standard; /* NULL: nothing is put back there */
	struct crew *crew;   /* NULL: this is the child's only worker */
	size_t worker;       /* which one it is */
	struct watch *watch; /* NULL: there is nobody to give anything to */
	struct watcher *watcher;
	int sigterm;    /* readable when it has come; 0: nobody looks */
	int give, take; /* the pool socket's ends, or -1 */
	unsigned slot;
	const char *server;      /* the value of Server */
	uint64_t most_requests;  /* MaxRequests with its jitter; 0: no limit */
	struct recycle *recycle; /* the leader's; NULL: nothing to look at */
	struct wsgid_page_map *page;
	struct access_log *access_log;
	struct app *app;
	struct libraries *libraries; /* NULL: nobody looks */
	struct io *io;
	/* Set in a copy of the process that the application has forked: it has
	 * no client and no ring. */
	const bool *forked;
	struct forking *forking;
};

/* An owner for io that is no connection. */
struct engine_owner {
	alignas(16) char nothing;
};

struct engine {
	struct engine_owner accept_owner, channel_owner, pool_owner, lock_owner,
		bell_owner, sigterm_owner;
	struct engine_settings set;
	const struct config *config; /* = set.config, the hot path's */
	struct io *io;
	struct request_limits limits;
	struct path_rules path_rules;

	/* The time: read once a turn, with the GIL once more, and after each
	 * request. */
	int64_t now_ns;  /* monotonic */
	int64_t real_us; /* the real time at now_ns */
	int64_t date_second;
	char date[DATE_SIZE];

	/* Connections. */
	struct connection_list queue;   /* with bytes to look at */
	uint32_t round; /* ends when what was queued before it is served */
	struct connection_list reading; /* Timeout */
	int64_t singly_ns; /* receiving.h: then these change; INT64_MAX: none */
	struct connection_list parked;  /* KeepAliveTimeout */
	struct connection_list sending; /* Timeout, by progress.h */
	struct connection_list lingering;
	struct connection_list leaving;  /* the pool was full */
	struct connection_list ending;   /* an operation is being cancelled */
	struct connection_list buried;   /* closed; Python must be told */
	struct connection *spent; /* the last of spent.h */
	unsigned n_connections;
	uint32_t shown_parked, shown_sending, shown_lingering; /* by the page */
	unsigned most_connections; /* a quarter of the descriptors is for the
	                            * application: its files and databases */

	/* What a leader does beside serving. */
	bool led;             /* we did, when we last looked */
	uint32_t reign;       /* how often that has ended */
	bool entering;        /* waits for Python, and the watcher may look */
	bool settled;         /* has been idle: app_settle */
	bool heard;           /* something, in the last turn */
	bool channel_watched; /* polls of these are under way */
	bool sigterm_watched;
	bool channel_ended; /* the master is gone */
	bool bell_watched;
	bool lock_watched;

	struct acceptor acceptor;

	int64_t balance_at_ns;  /* when to look at the siblings again */
	bool pool_watched;      /* a poll of the pool is under way */
	int64_t quiet_until_ns; /* about messages that are none */
	struct handoff_room room;

	/* Leaving. */
	bool deprived;  /* of descriptors, by the application: said once */
	int obeyed;     /* enum crew_order: the strictest so far */
	bool retiring;  /* accepts no more */
	bool finishing; /* nor gives to siblings: the server stops */
	bool stopping;
	int64_t leave_by_ns;  /* 0 = no deadline */
	unsigned n_cut;       /* requests that were not let go on by then */
	int64_t cut_since_ns; /* the last of them */

	char failure[CHANNEL_TEXT + 1]; /* to be shown instead of the
	                                 * application; "": it is well */

	/* The request under way: there is one at a time. */
	struct connection *running;
	int64_t running_since_ns;
	struct unique_id ids;
	struct str id;              /* of the request */
	int64_t overdue_since_ns;   /* the last that was over RequestTimeout */
	int64_t described_since_ns; /* and the last whose iterator was shown */
	struct request request;
	struct buf path;            /* of it, where resolving has changed it */
	struct forwarded forwarded; /* what trusted proxies say of it */
	struct str client;          /* who sent it, for logs: text, ... */
	int client_port;            /* ... and port, 0: nobody knows */
	char client_text[IP_TEXT];
	struct response response;
	struct buf head;   /* of the response, where a log looks at it */
	struct gathered gathered;
	bool pieces_are_slow;    /* of the response: a millisecond apart */
	unsigned quick_in_a_row; /* responses in pieces that were not */
	int64_t lately_ns; /* how long they take, a moving average; with a
	                    * crew it is the crew's */
	int64_t usual_ns;  /* most of them take no longer: about two of three */

	struct buf spare_buffers[ENGINE_SPARE];
	size_t n_spare_buffers;
	struct connection *spare[ENGINE_SPARE];
	size_t n_spare;

	bool stashed; /* of these: somebody lacked a buffer, and has them all */
	struct io_event events[ENGINE_EVENTS];
};

/* 0 or a negative errno.  Pairs with engine_fini. */
int engine_init(struct engine *e, const struct engine_settings *settings);
void engine_fini(struct engine *e);

/* Serve until told to go.  The GIL is held on entry and on return.  0 when all
 * was finished, -ETIMEDOUT when the deadline came first, or another negative
 * errno when the io engine is broken. */
int engine_run(struct engine *e);

/* While a request runs and waits for its client: turn the loop once, serving
 * nobody else.  To be called without the GIL.  0, -ETIMEDOUT when deadline_ns
 * has passed, -ECANCELED when the child must leave now. */
int engine_wait(struct engine *e, int64_t deadline_ns);

/* After it: requests that had begun, their heads being there, and were not
 * answered to the end.  Who sends none, or has all of his answer, is not among
 * them. */
unsigned engine_cut(const struct engine *e);

/* The same for a request that need not wait and asks often: turn the loop if
 * that has not been done for as long as others may be kept waiting.  0 or
 * -ECANCELED. */
int engine_look(struct engine *e);

/* Is this the worker that waits for clients, the pool and the master? */
bool engine_leads(const struct engine *e);

/* This child has done its share, for that reason: CHANNEL_WANTS_RETIRE or
 * CHANNEL_TOO_LARGE.  The master starts another
 * one and then tells us to go: until then we serve, so that capacity is never
 * short.  False when the master has not read what was said before, and this
 * must be said again. */
bool engine_ask_to_retire(
	struct engine *e, enum channel_kind kind, const char *why);

/* Look at the clock. */
void engine_read_clock(struct engine *e);

/* Time has passed within a request: e->date is to be right again. */
void engine_renew_date(struct engine *e);

/* Wait, at most that long (-1: for ever), and turn what has completed into
 * states.  Without the GIL, of which it uses nothing.  0 or a negative errno. */
int engine_turn(struct engine *e, int64_t timeout_ns);

/* Queue a connection that has bytes to look at. */
void engine_queue(struct engine *e, struct connection *c);

#endif
