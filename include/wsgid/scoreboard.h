/*
 * scoreboard.h - the shared memory in which a running wsgid shows itself.
 *
 * The only public header.  Monitoring programs may map the files read-only
 * and read them while the server runs, is stopped, or is dead.
 *
 * There are two kinds of files in the run directory, owned by the master,
 * mode 0640:
 *
 *   NAME.scoreboard     one struct wsgid_board, then process_count records of
 *                       struct wsgid_process.  Only the master can write it.
 *   NAME.scoreboard.N   the page of slot N: one struct wsgid_page, then
 *                       worker_count records of struct wsgid_worker.  The
 *                       child in slot N can write it, no other child can.
 *
 * With the directive ScoreBoardFile they are that file and FILE.N, and
 * NAME.scoreboard is a symbolic link to it.
 *
 * There are no pointers, no locks, and one writer for each record.  Numbers
 * are in the machine's byte order and naturally aligned, so a single number
 * is never torn; a text may be, while it changes: copy it, put a NUL at its
 * end, believe nothing that a child wrote.  All sizes and offsets are in the
 * board, so that a reader of another version can skip what it does not know:
 * fields are only ever added, at the end, within the major version.
 *
 * Times named _us are microseconds since 1970 (real time), durations are
 * microseconds, sizes bytes.
 */
#ifndef WSGID_SCOREBOARD_H
#define WSGID_SCOREBOARD_H

#include <stdint.h>

#define WSGID_BOARD_MAGIC "wsgidSB" /* with its NUL: 8 bytes */
#define WSGID_PAGE_MAGIC  "wsgidPG"

enum { WSGID_BOARD_MAJOR = 1, WSGID_BOARD_MINOR = 10 };

/* What a worker does: Apache's letters (mod_status).  K, C and G are in no
 * record: a parked connection, or one that is being closed, costs no worker,
 * and a worker in a request says what it does there.  Who shows workers shows,
 * of a child that serves, K as one that is READY when parked is above 0, and C
 * as the next when closing is; and of one that was told to go, its lifecycle
 * being above WSGID_PROCESS_READY, G as each in a request (R, W, L) and I as
 * each of the others.  A child that serves may have no page, where none could
 * be made: then ? is each, as is a worker whose state is none of these. */
enum wsgid_worker_state {
	WSGID_WORKER_DEAD = '.',
	WSGID_WORKER_STARTING = 'S',
	WSGID_WORKER_READY = '_',
	WSGID_WORKER_READ = 'R',      /* reading a request body; since 1.10 also
	                               * kept from a request by the GIL */
	WSGID_WORKER_WRITE = 'W',     /* in the application, or answering */
	WSGID_WORKER_KEEPALIVE = 'K', /* idle, with connections kept alive */
	WSGID_WORKER_LOG = 'L',       /* writing an access log */
	WSGID_WORKER_CLOSING = 'C',   /* idle, with connections that close */
	WSGID_WORKER_GRACEFUL = 'G',  /* finishing, told to retire */
	WSGID_WORKER_IDLE_KILL = 'I', /* since 1.7: idle, and told to retire */
	WSGID_WORKER_UNKNOWN = '?',   /* in no record, either */
};

/* Where a process is in its life; set by the master. */
enum wsgid_lifecycle {
	WSGID_PROCESS_VACANT = 0,
	WSGID_PROCESS_STARTING = 1,
	WSGID_PROCESS_READY = 2,
	WSGID_PROCESS_DRAINING = 3,
	WSGID_PROCESS_STOPPING = 4,
};

/* How the last reload ended. */
enum wsgid_reload_result { /* an upgrade is one, too */
	WSGID_RELOAD_NONE = 0,
	WSGID_RELOAD_RUNNING = 1,
	WSGID_RELOAD_DONE = 2,
	WSGID_RELOAD_FAILED = 3, /* reload_reason says why; the old
	                          * generation goes on, but after an
	                          * ungraceful restart */
};

/* Since 1.2: how long requests took, log-linearly: four buckets for each power
 * of two.  A bucket is at most a quarter of its lower end wide, so what is read
 * from it is right to an eighth; below 8 us it is exact.
 *
 * Bucket 0, 1, 2 and 3 count requests of so many whole microseconds.  For i
 * from 4 on, bucket i counts those from (4 + i % 4) << (i / 4 - 1) to below the
 * lower end of the next one: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on.  The
 * last one, from 7 << 33 us (some 17 hours) on, also counts all that is longer.
 */
enum { WSGID_TIMES_BUCKETS = 140 };

struct wsgid_times {
	uint64_t counts[WSGID_TIMES_BUCKETS];
	uint64_t sum_us;
	uint64_t max_us; /* 0: none yet, or less than a microsecond */
};

/* Of the requests that the application has answered.  wait: from when the
 * server saw that the request was there, its head whole and the body as far as
 * it is collected before, until the application was called, in whichever
 * process; application: until it was done, and all but the end of its answer
 * with the kernel; total: both.  What a child has not read yet is not known:
 * the only child, while it is busy, does not see who comes. */
struct wsgid_durations {
	struct wsgid_times wait;
	struct wsgid_times application;
	struct wsgid_times total;
};

struct wsgid_board {
	char magic[8];
	uint16_t major;
	uint16_t minor;
	uint32_t board_size;     /* of this struct, as written */
	uint32_t process_offset; /* of the first process record in the file */
	uint32_t process_size;   /* from one record to the next */
	uint32_t process_count;  /* slots: ServerLimit, and room for draining */
	uint32_t page_size;      /* of a page file */
	uint32_t worker_offset;  /* of the first worker record in a page */
	uint32_t worker_size;
	uint32_t worker_count; /* workers a process: ThreadLimit */
	int32_t master_pid;
	uint32_t generation;     /* that serves: 1 for the first; a reload that
	                      * fails takes a number as well */
	uint32_t reload_result;  /* enum wsgid_reload_result, written last of
	                      * what is said of a reload */
	int64_t start_us;        /* of the server */
	int64_t restart_us;      /* of the last ungraceful restart */
	int64_t reload_begin_us; /* of the last reload; 0 = none */
	int64_t reload_end_us;
	int64_t updated_us; /* when the master last wrote here */
	uint64_t children_started;
	uint64_t children_crashed;
	uint32_t max_request_workers;
	uint32_t throttled; /* 1 while a crash loop delays starts */
	char name[64];      /* of the instance */
	char version[32];   /* "wsgid/0.1.0" */
	char mpm[16];       /* "prefork", "worker" */
	char accept[32];    /* how children wait for connections */
	char python[64];    /* as the first child reported it */
	char application[128];
	char listeners[256]; /* space-separated, as the log names them */
	char reload_reason[512];
	int32_t template_pid; /* of the process that has the application and
	                       * forks children; 0 = there is none */
	uint32_t templates_started;
	/* Since 1.2: what all dead children had counted in their pages. */
	struct wsgid_durations past_durations;
	/* Since 1.3: from when on all that is counted here was; before start_us
	 * where a server goes on for one that it has replaced.  0: start_us. */
	int64_t counted_us;
	/* Since 1.4: what had been said when the last reload failed, the end of
	 * it: the traceback of the application, or all mistakes of the
	 * configuration.  Lines, each with a newline at its end. */
	char reload_log[4096];
	/* Since 1.8: when the server was told to stop; 0 = it was not. */
	int64_t stopping_us;
	/* Since 1.9: the configuration file, from the root; empty where there is
	 * none, or its path is longer. */
	char config_file[256];
	/* Since 1.10: DeadlockTimeout; 0 = there is none. */
	int64_t deadlock_us;
};

struct wsgid_process {
	int32_t pid;        /* 0 when vacant */
	uint32_t lifecycle; /* enum wsgid_lifecycle */
	uint32_t generation;
	int32_t last_status; /* of the slot's last child, as waitpid gives it */
	int64_t forked_us;
	int64_t ready_us; /* 0 while it starts */
	int64_t told_us;  /* told to retire or stop; 0 = not */
	int64_t died_us;  /* of the slot's last child; 0 = none died */
	/* What the slot's dead children had counted in their pages, so that
	 * totals never go backwards. */
	uint64_t past_requests;
	uint64_t past_connections;
	uint64_t past_bytes_in;
	uint64_t past_bytes_out;
	uint64_t past_busy_us;
	/* Since 1.1: how many worker records of its page the child uses, the
	 * first ones; 0 when that is not known. */
	uint32_t workers;
	uint32_t reserved;
};

struct wsgid_page {
	char magic[8];
	int32_t pid; /* of the child that writes here */
	uint32_t generation;
	int64_t heartbeat_us;  /* when the child's loop last turned */
	uint32_t connections;  /* open now */
	uint32_t parked;       /* of these, kept alive and idle */
	uint32_t accepting;    /* above 0 while it waits for new connections */
	uint32_t wants_retire; /* 1 when it has done its share and asks to be
	                         * replaced */
	uint64_t requests;
	uint64_t accepted; /* connections */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t busy_us; /* time in the application */
	uint64_t aborted; /* connections lost under a response */
	uint64_t refused; /* requests answered 4xx, 501, 503 or 505 by us */
	char io_engine[16];
	struct wsgid_durations durations; /* since 1.2 */
	/* Since 1.3: when a thread that does nothing else last had the GIL, which
	 * it takes ten times in DeadlockTimeout; 0 when there is none. */
	int64_t gil_us;
	/* Since 1.5: connections that Apache's event MPM counts likewise, as they
	 * need no worker: whose responses are going out, and that are about to
	 * be closed and may still send. */
	uint32_t writing;
	uint32_t closing;
	/* Since 1.10: gil_us by CLOCK_MONOTONIC, which nobody sets: by it and
	 * deadlock_us Python runs in this child, or does not any more. */
	int64_t gil_monotonic_us;
};

struct wsgid_worker {
	uint32_t state;  /* enum wsgid_worker_state */
	uint32_t thread; /* kernel thread id */
	uint64_t requests;
	uint64_t bytes_out;
	int64_t begin_us; /* of the current or last request */
	int64_t end_us;   /* of the last request; 0 before it */
	char client[48];  /* address without port */
	char method[16];
	char target[160]; /* the path; no query string */
	/* Since 1.6: what is behind its "?".  There may be secrets in it: show
	 * it to those alone who ask for it. */
	char query[160];
};

#endif
