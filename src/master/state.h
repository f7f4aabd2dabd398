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
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "master/master.h"
#include "master/notify.h"
#include "mpm/mpm.h"
#include "net/address.h"
#include "net/channel.h"
#include "net/listen.h"
#include "pythons/choose.h"
#include "scoreboard/scoreboard.h"

#define SECOND_NS INT64_C(1000000000)
#define MS_NS     INT64_C(1000000)
#define NEVER     INT64_MAX

/* From "leave now" to SIGKILL, whoever says it; and at most so much of the
 * time that children have to finish in is for leaving. */
enum { CHILD_STOP_MS = 2000 };

/* Children a turn of the policy at most, as in Apache. */
enum { SPAWN_RATE = 32 };

struct accept_mutex;
struct heritage;
struct heritage_output;
struct master;

/* A descriptor in the loop.  ready may remove and free its source: the loop
 * takes one event at a time and touches none of them afterwards. */
struct source {
	int fd; /* -1: not in the loop */
	void (*ready)(struct master *m, struct source *s);
};

/* Who breaks what the children share: guard.c. */
enum { GUARD_POOL = 1, GUARD_LISTENERS = 2, GUARD_SETS = 4 };

struct guard {
	struct source hangups; /* a set of sockets; -1: there is none yet */
	unsigned generation;   /* whose are in it */
	int64_t quiet_until_ns;
	int64_t look_ns;  /* when to look at the sets of the listeners */
	unsigned broken;  /* of the above: to be made anew ... */
	int64_t renew_ns; /* ... then */
};

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
	char *protocols; /* parallel, too: enum config_proxy_protocol as a
			  * digit, and a NUL behind them */
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
	char *identity[5];           /* HOME, ... of another user: in it */
};

/* What something is, and since when we have seen it so; 0: never. */
struct sighting {
	int64_t value;
	int64_t since_ns;
};

/* A socket that systemd has passed. */
struct passed {
	struct listener listener;
	char name[ADDRESS_TEXT - 4]; /* FileDescriptorName; "": it has none */
	bool used;                   /* by the generation being made */
};

enum { FDSTORE_NAME = 256 };

/* A descriptor that systemd keeps. */
struct stored {
	char name[FDSTORE_NAME];
	int fd; /* at the start: it was handed over; then -1 */
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

/* One slot.  pid is 0 when it is vacant, and while a template is to fork it. */
struct child {
	struct source channel;
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

/* The process of one generation that has the application and forks children. */
struct template
{
	struct source channel;
	struct template *next;
	pid_t pid;
	unsigned generation;
	int64_t ready_ns; /* 0: not yet */
	int64_t deadline_ns;
	bool told; /* by us, to stop */
	bool warm; /* as in struct child, like the next */
	bool failed, killed, timed_out, babbled;
	char reason[CHANNEL_TEXT + 1];
};

/* A process that has been started, and our ends of what it has. */
struct spawned {
	pid_t pid; /* 0: a template will fork it */
	int channel;
	int output;
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
	int peers; /* what children show each other: INHERIT_PEERS */
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

	struct template *templates; /* of all generations, dying ones too */
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

/* --- guard.c ----------------------------------------------------------------- */

/* See that what a child breaks of what all of them share is whole again. */
void guard_turn(struct master *m);
int64_t guard_deadline(const struct master *m);

/* --- renew.c ----------------------------------------------------------------- */

/* Make anew what is broken, and have all children replaced that hold it. */
void renew_shared(struct master *m, unsigned broken);

/* --- master.c ---------------------------------------------------------------- */

/* Put s->fd, which is non-blocking, into the loop.  0 or a negative errno. */
int master_watch(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s));
/* Something to wait for until it can be written to; closed as well. */
int master_watch_room(struct master *m, struct source *s, int fd,
	void (*ready)(struct master *m, struct source *s));
/* Not to hear of it for a while, but for at most one event; and then again. */
void master_hold(struct master *m, struct source *s);
void master_heed(struct master *m, struct source *s);
/* Take it out and close it. */
void master_forget(struct master *m, struct source *s);

/* The first child is ready: the application is proven, the others follow. */
void master_proven(struct master *m);

/* Does somebody else go on with our listeners?  Then children must not shut
 * them when they lose us. */
void master_tell_shared(struct master *m, bool shared);
bool master_shares_sockets(const struct master *m);

/* We are the server now: tell everybody. */
void master_announce(struct master *m);

/* The server cannot go on: say why and stop at once with this status. */
void master_fail(struct master *m, int status, const char *sentence);

/* --- listens.c --------------------------------------------------------------- */

/* Is what stands behind each Listen an address, and can one server have them
 * all?  Whether somebody else has one is no mistake in the configuration. */
void listens_check(struct config *c);

/* --- paths.c ----------------------------------------------------------------- */

/* Files that cannot be made become messages of the configuration; running as of
 * master_settle. */
void paths_check(struct config *c, const struct config *running);
/* 0, or -ENOENT and a sentence when the directory of path is missing, and the
 * server does not make it. */
int paths_check_parent(
	const struct config *c, const char *path, struct err *err);

/* --- generation.c ------------------------------------------------------------ */

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
/* To be called when the master's name has been chosen after the first
 * generation was made; nobody has its text yet. */
int generation_tell_name(struct generation *g, struct err *err);
/* Say so when the kernel has cut SendBufferSize or ReceiveBufferSize. */
void generation_check_buffers(const struct generation *g);
/* g replaces before: the socket files become g's to remove, and what both
 * have listens as g's configuration says. */
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

/* --- leftovers.c ------------------------------------------------------------- */

/* Create the first generation; where children of a killed server still have
 * the address, try again until they have left, for three seconds. */
int leftovers_outwait(struct master *m, struct config *c, struct err *err);

/* --- buckets.c --------------------------------------------------------------- */

/* How many there are, for the life of the server; where it is not as
 * ListenCoresBucketsRatio says, that is said.  To be called before the first
 * generation is made, and after the log is open. */
void buckets_choose(struct master *m, const struct config *c);
void buckets_say(const struct master *m);
/* The sets of a generation with its listeners; and their end. */
int buckets_make_sets(struct generation *g, struct err *err);
void buckets_close_sets(struct generation *g);
/* As listen_set_mend, of all of them. */
int buckets_mend_sets(const struct generation *g);
/* Let children of other buckets wait for the clients of one that has no child,
 * as long as it has none. */
void buckets_turn(struct master *m);
/* That of the children of this slot. */
unsigned buckets_of_slot(const struct master *m, unsigned slot);
/* Which has the fewest children of a generation that are to stay. */
unsigned buckets_neediest(const struct master *m, unsigned generation);
/* Is there another child in the bucket of this one? */
bool buckets_can_spare(const struct master *m, const struct child *c);

/* --- entrance.c -------------------------------------------------------------- */

/* May the user of the children go where this Python is?  What is in the way
 * becomes a message of the configuration. */
void entrance_check(struct config *c, const struct facts *facts);

/* --- python.c ---------------------------------------------------------------- */

/* What the configuration says of Python and the environment, at "wsgid -t" too:
 * mistakes become its messages. */
void python_check(struct config *c);
/* Which program the children of g are, and their environment.  0, or a negative
 * errno and a sentence. */
int python_choose(struct master *m, struct generation *g, struct err *err);
/* The same for one that no master has. */
int python_choose_alone(struct generation *g, struct err *err);
/* That of a generation that is trying, or else of the one that serves. */
const struct python_choice *python_of(
	const struct master *m, unsigned generation);
/* A child has met a module that needs the shared library: further ones have it. */
void python_needs_shared(
	struct master *m, unsigned generation, const char *module);
void python_forget(struct generation *g);

/* The environment of g's children.  0, or a negative errno and a sentence. */
int environment_make(struct generation *g, struct err *err);
void environment_free(struct generation *g);

/* --- changes.c --------------------------------------------------------------- */

/* A child tells of a file that has changed. */
void changes_heard(
	struct master *m, const struct child *c, const char *path);
/* What begins now imports what has changed until now. */
void changes_forget(struct master *m);
/* Begin the reload that has waited. */
void changes_turn(struct master *m);
int64_t changes_deadline(const struct master *m);

/* --- restart.c --------------------------------------------------------------- */

void restart_begin(struct master *m, bool ungraceful, const char *why);
/* The first child of the new generation is ready. */
void restart_commit(struct master *m);
/* It will never be. */
void restart_fail(struct master *m, const char *reason);
/* Go on with a reload where that is possible. */
void restart_turn(struct master *m);
int64_t restart_deadline(const struct master *m);
/* The current generation has a child that serves, or its first one has ended
 * and this is the reason: the end of a restart that was not graceful. */
void restart_proven(struct master *m, const char *reason);

/* --- stop.c ------------------------------------------------------------------ */

/* why is said in the log, NULL: it was said already. */
void stop_begin(struct master *m, bool graceful, const char *why);
void stop_turn(struct master *m);
/* A child has ended, and so many requests with it. */
void stop_reaped(
	struct master *m, const struct child *dead, int unfinished, int status);
/* The time of those that are finishing is over, and they will be killed: does
 * that cut off requests? */
void stop_cuts(struct master *m);

/* The same, when a new master has taken our place. */
void stop_after_upgrade(struct master *m);

/* --- scale.c ----------------------------------------------------------------- */

/* Have n processes until the next reload; control_scaled tells the end of it.
 * 0, or a negative errno and why not. */
int scale_begin(struct master *m, long n, struct err *err);
void scale_turn(struct master *m);

/* --- upgrade.c --------------------------------------------------------------- */

void upgrade_begin(struct master *m, const char *why);
bool upgrade_running(const struct master *m);
/* The new master has ended. */
void upgrade_reaped(struct master *m, int status);
/* We are to stop before it was ready. */
void upgrade_abandon(struct master *m);
void upgrade_turn(struct master *m);
int64_t upgrade_deadline(const struct master *m);

/* --- predecessor.c ----------------------------------------------------------- */

/* We have taken over from it. */
void predecessor_watch(struct master *m, pid_t from);
bool predecessor_lives(const struct master *m);
void predecessor_turn(struct master *m);
int64_t predecessor_deadline(const struct master *m);

/* --- supervisor.c ------------------------------------------------------------ */

enum { SUPERVISOR_NAME = 32 };

/* Would somebody take the end of this process for the end of the server?
 * parent becomes the name of ours, "" for process 1. */
bool supervisor_wants_pid(char parent[SUPERVISOR_NAME]);
/* Its part: is a parent of that name one of those? */
bool supervisor_waits(const char *parent);

/* --- heir.c ------------------------------------------------------------------ */

/* We are the new master, and the old one still is the server. */
bool heir_waits(const struct master *m);
/* 1 when the pool socket was left to us, else 0. */
int heir_take_pool(struct master *m);
int heir_take_listeners(struct master *m, struct err *err);
/* The descriptor of the pid file at path that was left to us, or -1. */
int heir_take_pid_file(struct master *m, const char *path);
/* Go on with lines of the log that were left to us: after logs_use. */
void heir_take_lines(struct master *m);
/* Where we are the old process: its children, and who waits for us; with them
 * it is a reload from here on. */
void heir_take_children(struct master *m);
/* A child of ours serves. */
void heir_child_ready(struct master *m);
void heir_say_failed(const struct master *m, const char *reason);

/* --- logs.c ------------------------------------------------------------------ */

/* Open the file for appending, 0640, close-on-exec; "-" duplicates
 * standard.  The descriptor or a negative errno. */
int logs_open(const char *directive, const char *target, int standard,
	struct err *err);
bool logs_is_journald(const struct config *c);
/* From now on the master writes to g's error log, at its level. */
void logs_use(const struct generation *g);
/* Reopen all files, the children's too. */
int logs_reopen(struct master *m, struct err *err);
/* Has the child access logs of before the last logs_reopen?  Only until it
 * hears of others; for as long as it lives, where it will not. */
enum logs_age { LOGS_NEW, LOGS_OLD_YET, LOGS_OLD };
enum logs_age logs_of_child(const struct master *m, const struct child *c);
/* Go on where the log did not take what there was to say. */
void logs_turn(struct master *m);
int64_t logs_deadline(const struct master *m);
/* The end of this program: what is not said yet has a last moment. */
void logs_finish(struct master *m);
/* Say the configuration's messages. */
void logs_say_messages(const struct config *c);
void logs_say_lines(struct buf *lines);

/* --- relay.c ----------------------------------------------------------------- */

/* Read what the child writes to fd until its end. */
int relay_open(struct master *m, int fd, pid_t pid);
/* Leave all of them to the program that we become; and there, take one over. */
int relay_bequeath(struct master *m, struct heritage *h);
void relay_inherit(struct master *m, const struct heritage_output *o);
/* Read what there is now, so that a child's last words come before the news
 * of its death; unless the log takes no lines, and there is much of it. */
void relay_drain(struct master *m, pid_t pid);
/* Read what has come into pipes that were at rest for long enough. */
void relay_turn(struct master *m);
int64_t relay_deadline(const struct master *m);
/* The log takes lines again: read on where that was put off. */
void relay_go_on(struct master *m);
/* The same, and of pipes at rest; all that there is now: nobody will come back to it. */
void relay_finish(struct master *m);
void relay_close_all(struct master *m);

/* --- control.c --------------------------------------------------------------- */

int control_open(struct master *m, struct err *err);
void control_close(struct master *m);
/* Answer those who wait for scale_begin: reason is NULL when it is done. */
void control_scaled(struct master *m, const char *reason);
/* Answer those who wait for the upgrade: reason is NULL when it is done. */
void control_upgraded(struct master *m, const char *reason);
/* Leave them to the program that we become; and there, take one over. */
int control_bequeath(struct master *m, struct heritage *h);
int control_adopt(struct master *m, int fd);
/* Connections that take too long are closed. */
void control_turn(struct master *m);
int64_t control_deadline(const struct master *m);
/* Tell those who wait for a reload or restart how it goes: one line, as in
 * control/control.h; words end with NULL. */
void control_tell(struct master *m, const char *const *words);
#define CONTROL_TELL(m, ...) \
	control_tell((m), (const char *const[]){__VA_ARGS__, NULL})
/* Answer those who wait for the reload: reason is NULL when it is done. */
void control_reloaded(struct master *m, const char *reason);
/* The current generation has a child that serves, or its first one has ended
 * and this is the reason: answers those who wait for a restart. */
void control_restarted(struct master *m, const char *reason);

/* --- door.c ------------------------------------------------------------------ */

enum { CONTROL_CLIENTS = 16 }; /* at once */

/* Make the socket file at path, for those who may control the server. */
int door_open(struct control *control, int fd, const char *path,
	const struct config *c, struct err *err);
void door_remove(const struct control *control);
/* May who is behind this connection, and who is it? */
bool door_admits(int fd, const struct config *c, uid_t *uid);
/* ControlGroup, whose members may ask the master and read its files; 0 when
 * there is none. */
gid_t door_group(const struct config *c);
/* The sentence for a master that may not give its files to ControlGroup.
 * -EPERM. */
int door_no_member(const struct config *c, struct err *err);

/* --- rundir.c ---------------------------------------------------------------- */

/* Find or make the run directory and lock the pid file in it. */
int rundir_open(struct master *m, const struct config *c, struct err *err);
void rundir_close(struct master *m);
/* Remove what the program that this process was before has left under names
 * that are not ours: its Name, RunDirectory or PidFile was another. */
void rundir_remove_left(const struct heritage *h);

/* --- mutex.c ------------------------------------------------------------------ */

/* Is the mechanism to be had here?  Else a message of the configuration. */
void mutex_check(struct config *c);
/* After rundir_open. */
int mutex_open(struct master *m, const struct config *c, struct err *err);
void mutex_close(struct master *m);
/* "none", "flock", ... */
const char *mutex_name(const struct master *m);
/* There is one, but no child of the generation takes it. */
bool mutex_unneeded(const struct master *m, const struct generation *g);
/* A descriptor for one child of the generation, the caller's to close; -1: it
 * takes none. */
int mutex_export(struct master *m, const struct generation *g);
/* We have become the program that this process is: its children have the mutex
 * of the one before, which is removed when they have gone. */
void mutex_inherit(struct master *m);
void mutex_turn(struct master *m);
/* To the child it answers with an error.  The next child that is started, in
 * the place of this one, gets a new mutex. */
void mutex_failed(struct master *m, const struct child *c);
/* The child has died: it holds the mutex no more. */
void mutex_bury(struct master *m, pid_t pid);

/* --- user.c ------------------------------------------------------------------ */

/* As whom children shall run, put into the configuration.  What is wrong with
 * User and Group becomes its messages. */
void user_settle(struct config *c, struct buf *notices);

/* --- schedule.c -------------------------------------------------------------- */

/* When the loop must turn again though nothing happens; NEVER for "when
 * something happens". */
int64_t schedule_next(const struct master *m);

/* --- board.c ----------------------------------------------------------------- */

int board_create(struct master *m, struct err *err);
/* The new generation's facts. */
void board_show_generation(struct master *m);
void board_show_child(struct master *m, const struct child *c);
/* The pid of one that a template has forked is known. */
void board_show_birth(struct master *m, const struct child *c);
void board_show_template(struct master *m);
void board_show_death(struct master *m, const struct child *c, int status);
void board_show_reload(struct master *m, uint32_t result, const char *reason);
void board_show_stop(struct master *m);
void board_touch(struct master *m);

/* --- said.c ------------------------------------------------------------------ */

/* Something new is tried: forget what was said before. */
void said_begin(struct master *m);
/* A line of what is said about it. */
void said_line(struct master *m, const char *kind, const char *text);
/* The same of another master: lines, as said_each gave them. */
void said_lines(struct master *m, struct str lines);
/* The lines that were kept, in pieces of some lines each. */
void said_each(const struct master *m,
	void (*call)(const struct master *m, struct str lines));

/* --- say.c ------------------------------------------------------------------- */

/* Where it listens, for people: "http://127.0.0.1:8000 unix:/run/x". */
void say_listeners(const struct generation *g, struct buf *to);
/* The start line. */
void say_start(struct master *m);
/* "SIGSEGV" as Apache says it: "exit signal Segmentation fault (11)". */
void say_death(int wait_status, char *to, size_t size);

#endif
