/*
 * state.h - what the master knows; for this folder only.
 *
 * Everything the master acts on is in this private memory.  The scoreboard
 * shows a copy of it, and what children write there is read for one purpose,
 * to see who is idle: a child that lies gets too few or too many siblings.
 *
 * Events only change this state; what follows from it is done in one place,
 * master_turn, after every event.
 */
#ifndef WSGID_MASTER_STATE_H
#define WSGID_MASTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "master/notify.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "pythons/choose.h"

#define NEVER     INT64_MAX

struct accept_mutex;
struct generation;
struct heritage;
struct master;
struct master_order;
struct passed; /* a socket that systemd has passed: activation.c */
struct scoreboard;
struct stored; /* a descriptor that systemd keeps: fdstore.c */

/* A descriptor in the loop.  ready may remove and free its source: the loop
 * takes one event at a time and touches none of them afterwards. */
struct source {
	int fd; /* -1: not in the loop */
	void (*ready)(struct master *m, struct source *s);
};

/* Who breaks what the children share: guard.c. */
struct guard {
	struct source hangups; /* a set of sockets; -1: there is none yet */
	unsigned generation;   /* whose are in it */
	int64_t quiet_until_ns;
	int64_t look_ns;  /* when to look at the sets of the listeners */
	unsigned broken;  /* GUARD_POOL, ...: to be made anew ... */
	int64_t renew_ns; /* ... then */
};

/* What something is, and since when we have seen it so; 0: never. */
struct sighting {
	int64_t value;
	int64_t since_ns;
};

struct fdstore {
	struct stored *list; /* the listeners */
	size_t n;
	int board;            /* of the server before us, or -1 */
	bool has_board;       /* ours is kept */
	struct source canary; /* open for as long as systemd keeps things */
};

/* Since when there was nothing to do: idle.c. */
struct idle {
	int64_t since_ns; /* 0: not looked at */
	int64_t look_ns;
	uint64_t deeds;
};

/* Of the application's files, under WSGIReload: changes.c. */
struct changes {
	char path[CHANNEL_TEXT + 1]; /* the last; "": no reload waits for one */
	int64_t due_ns;              /* when it is to begin */
	unsigned in_a_row;           /* reloads that imports may have caused */
};

/* One slot.  spawn.c, template.c and birth.c start who is in it, child.c talks
 * to one, census.c counts, pool.c keeps the number right and reap.c buries; the
 * rest says what became of them.  pid is 0 when it is vacant, and while a
 * template is to fork it.
 *
 * A template is one too, but in a list and in no slot: what only those have who
 * serve is as for a vacant one. */
struct child {
	struct source channel;
	struct child *next; /* among templates */
	pid_t pid;
	unsigned slot;
	int output; /* that it will write to, until its pid is known; or -1 */
	enum lifecycle life;
	unsigned generation;
	unsigned workers;    /* its threads, under prefork 1 */
	unsigned mutex;      /* the number of the one it has */
	int64_t ready_ns;    /* 0: not yet */
	int64_t deadline_ns; /* what is due then depends on life */
	bool told;           /* by us, to retire or to stop ... */
	bool left;           /* ... because it had said that it ends by itself */
	bool began;          /* a client's request, as its page said when it ... */
	bool answered;       /* ... ended; and has it answered one? */
	bool warm;           /* it does what WSGIWarmUp names */
	bool may_finish;     /* told to stop before it was ready, but gently */
	bool replacement;    /* when it is ready, another one goes */
	bool wants_retire;
	bool lonely;                   /* was told that it has no siblings */
	unsigned cut;                  /* requests that it did not finish */
	bool failed;                   /* has announced that it cannot serve */
	bool killed;                   /* by us, untold */
	bool timed_out;                /* did not become ready in time */
	bool babbled;                  /* sent nonsense; said once */
	bool stopped;                  /* by a signal, SIGSTOP say */
	unsigned logs_ahead;           /* it was sent, and has not taken yet */
	struct sighting gil, youngest; /* watchdog.c */
	char reason[CHANNEL_TEXT + 1]; /* the child's own sentence */
};

enum phase {
	PHASE_STARTING, /* the first child is still to prove the application */
	PHASE_RUNNING,
	PHASE_STOPPING,
	PHASE_OVER,
};

struct pid_file {
	char *path;
	int fd;       /* holds the lock; -1: not held */
	bool foreign; /* another master's pid is in it: not ours to remove */
};

struct run_directory {
	char *path;            /* NULL: there is none */
	struct pid_file own;   /* NAME.pid in it */
	struct pid_file named; /* PidFile, when that is another file */
};

/* The kernel's count of processes that it has ended for want of memory. */
struct oom {
	char counter[512]; /* the file */
	int64_t seen;      /* -1: it cannot be read */
};

struct relay;  /* the standard error of one child: relay.c */
struct client; /* a connection of the control socket: control.c */

struct control {
	struct source listener;
	char *path;   /* NULL: no control socket */
	dev_t device; /* of the socket file, which may be replaced */
	ino_t inode;
	struct client *clients;
	size_t n_clients;
	int64_t rest_ns; /* until when nobody is let in; NEVER: they are */
};

/* The start of our own program anew: upgrade.c. */
struct upgrade {
	struct source report; /* what the new master says */
	struct source end;    /* of one that is no child of ours; or -1 */
	pid_t pid;            /* its, or of the trial; 0: there is none */
	bool trial;           /* it only shows that it could */
	bool wanted;          /* when the reload is over */
	bool ready;           /* it has said so */
	bool abandoned;       /* told to stop, as we are stopping */
	int64_t deadline_ns;
	int retired; /* children of ours that went for its */
	char reason[CHANNEL_TEXT + 1];
};

/* The master before us: predecessor.c. */
struct predecessor {
	struct source end; /* its process; -1: it is gone, or there was none */
	pid_t pid;
	bool told; /* to end at once */
};

/* What the service manager was told: service.c. */
struct service {
	bool heard;                   /* there is one */
	int64_t status_ns, extend_ns; /* when the next is due */
	int64_t alive_ns;             /* likewise; NEVER: nobody waits for it */
	int64_t alive_every_ns;
	int64_t store_ns;  /* when fdstore_keep is due, or NEVER */
	uint64_t requests; /* served, when we last looked */
	int64_t requests_ns;
	char reloaded[600]; /* how the last reload ended; "": there was none */
	char status[768];
};

/* Another number of processes, being had: scale.c. */
struct scale {
	bool running;
	unsigned generation; /* that it is for */
	unsigned failures;   /* of children, when it began */
};

struct master {
	const struct master_order *order;
	bool needs_shared; /* as a child says, an extension does: LibPython */
	char python_notice[CHOICE_NOTICE]; /* what was said of the choice */
	int null_fd;
	int siblings; /* what children show each other: INHERIT_SIBLINGS */
	struct accept_mutex *mutex; /* NULL: none is needed */
	unsigned mutex_number;      /* counts those that were made */
	bool mutex_left;   /* the program before us had one: number 0 */
	bool mutex_broken; /* as a child says: the next one gets a new one */
	int pool_give, pool_take; /* the pool socket: of all generations */
	struct rlimit files;      /* as we found it; children get it back */
	int epoll;
	struct source signals;
	int64_t now_ns; /* monotonic; read once a turn */

	enum phase phase;
	int exit_status;
	bool announced; /* order->started was called */
	bool logging;   /* the error log is open */
	bool drains;    /* the stop began gracefully ... */
	bool cut_short; /* ... and not all requests were finished: ... */
	unsigned cut;   /* ... so many; 0: an old master's, of unknown number */
	bool stop_now;  /* no grace any more */
	bool hurried;   /* asked once more: not even to leave */
	int64_t stop_by_ns; /* nobody is left then, or NEVER */
	int64_t give_up_ns; /* on those that are */
	struct upgrade upgrade;
	struct predecessor predecessor;
	struct scale scale;
	bool succeeded;  /* a new master serves; ours are finishing */
	bool pool_lives; /* and its children take what ours give */
	bool shared;     /* somebody else goes on with the listeners */

	char name[64]; /* of the instance, from the first configuration */
	char python[CHANNEL_TEXT + 1]; /* and engine, as a child told */
	struct generation *now;
	struct generation *next; /* being tried by a reload, else NULL */
	unsigned last_generation;
	unsigned n_buckets; /* of each generation's listeners; 1: no buckets */
	struct heritage *heritage; /* until we have taken over; else NULL */
	struct generation *before; /* the listeners of it; likewise */
	struct passed *passed;     /* by systemd; ours to keep for life */
	size_t n_passed;

	struct child *templates; /* of all generations, dying ones too */
	struct child *children;
	unsigned n_slots;
	long server_limit; /* of the first configuration, as in Apache */
	struct mpm_memory memory;
	struct throttle throttle;
	int owed;        /* children that died and are to be replaced */
	int64_t turn_ns; /* next maintenance */
	int64_t last_turn_ns;
	bool told_no_slot;
	bool told_hidden;
	bool told_stuck;
	struct sighting deserted; /* is no child ready? watchdog.c */
	int nudges_due;           /* after the death or stop of a child */
	int64_t nudge_ns;

	struct buf said; /* while something new was tried: said.c */
	bool reloading;  /* until the last old child was told to retire */
	bool restarting; /* ... or until a new one serves: they are all gone */
	bool reload_wanted;
	bool reload_ungraceful;  /* how the wanted one shall be */
	int64_t reload_since_ns; /* when the one under way has begun, ... */
	int64_t reload_since_us; /* ... and by the clock of files */
	int64_t reload_over_ns;  /* when the last one was done or had failed */
	struct changes changes;

	struct scoreboard *scoreboard;
	struct run_directory run;
	struct oom oom;
	unsigned weighed; /* the generation: memory.c */
	struct relay *relays;
	struct source log_room; /* for a line: the log takes none; else -1 */
	struct control control;
	struct service service;
	struct notify notify;
	struct fdstore store;
	struct idle idle;
	struct guard guard;
};

#endif
