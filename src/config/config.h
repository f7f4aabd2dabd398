/*
 * config.h - what the administrator wants, read, checked and settled.
 *
 * Life of a configuration: config_create gives the defaults; the sources are
 * added from the weakest to the strongest (file, environment, command line);
 * config_settle replaces every "auto" by a number and applies the rules
 * between directives.  A settled configuration does not change any more.
 * Mistakes are collected, not returned one by one: an administrator wants to
 * see all of them.
 *
 * A child gets its configuration as the text that config_dump writes, in a
 * sealed memfd, and reads it with the same parser.
 *
 * This library reads files; it knows no process, no socket and no log.
 */
#ifndef WSGID_CONFIG_CONFIG_H
#define WSGID_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/network.h"

struct err;

/* A number or size whose directive says "auto", until config_settle. */
enum {
	CONFIG_AUTO = -1,
	CONFIG_ACCESS_LOGS = 16, /* the most: a message to a child takes them */
};

enum config_mpm { CONFIG_MPM_PREFORK, CONFIG_MPM_WORKER };
enum config_io_engine {
	CONFIG_IO_AUTO,
	CONFIG_IO_URING,
	CONFIG_IO_EPOLL,
};
/* Of the same values as http/path.h's enum path_slashes. */
enum config_encoded_slashes {
	CONFIG_SLASHES_ON,
	CONFIG_SLASHES_OFF,
	CONFIG_SLASHES_NO_DECODE,
};
enum config_server_tokens {
	CONFIG_TOKENS_PROD,
	CONFIG_TOKENS_MAJOR,
	CONFIG_TOKENS_MINOR,
	CONFIG_TOKENS_MIN,
	CONFIG_TOKENS_OS,
	CONFIG_TOKENS_FULL,
	CONFIG_TOKENS_PRODUCT_ONLY, /* Apache has two words for these */
	CONFIG_TOKENS_MINIMAL,
};
enum config_proxy_protocol {
	CONFIG_PROXY_OFF,
	CONFIG_PROXY_ON,
	CONFIG_PROXY_OPTIONAL,
};
/* Beside one of these: what a child knows of a listener. */
enum { CONFIG_LISTENER_PROXY = 3, CONFIG_LISTENER_HTTPS = 4 };
/* Fields that say something to us. */
enum config_proxy_header {
	CONFIG_X_FORWARDED_FOR = 1 << 0,
	CONFIG_X_FORWARDED_PROTO = 1 << 1,
	CONFIG_X_FORWARDED_HOST = 1 << 2,
	CONFIG_X_FORWARDED_PORT = 1 << 3,
	CONFIG_X_FORWARDED_PREFIX = 1 << 4,
	CONFIG_FORWARDED = 1 << 5,
};
enum config_signal_style { CONFIG_SIGNALS_WSGID, CONFIG_SIGNALS_APACHE };

/* One "Listen ADDRESS [mode=0660] [owner=NAME] [group=NAME]
 * [ProxyProtocol=On] [Scheme=https]". */
struct config_listen {
	const char *address; /* "8000", "[::1]:8000", "unix:/run/x.sock" */
	const char *owner;   /* unix: only; NULL = as created */
	const char *group;   /* likewise */
	int mode;            /* unix: only; -1 = 0666 */
	int proxy_protocol;  /* enum config_proxy_protocol; -1 until settled =
			      * as the directive says */
	bool https;          /* its clients have spoken TLS to somebody else */
	const char *where;   /* "FILE:LINE", "--bind": for messages */
};

/* One "CustomLog TARGET FORMAT". */
struct config_access_log {
	const char *target; /* a file, or "-" for standard output */
	const char *format; /* the format itself, nicknames resolved */
};

/* How fast a client has to send one part of a request; RequestReadTimeout. */
struct config_read_limit {
	int64_t first; /* that it has in any case; 0 = all the time */
	int64_t most;  /* that it can get; 0 = no limit */
	long min_rate; /* bytes for which it gets another second; 0 = none */
};
struct config_read_timeout {
	struct config_read_limit header, body;
};

struct config_networks {
	struct network *list;
	size_t n;
	size_t room; /* for so many, if not 0 */
};

struct config_proxy_headers {
	int known;          /* enum config_proxy_header, a bit for each */
	const char *passed; /* names of others, for the application alone, with
			     * a space between two; NULL = none */
};

/* Times are milliseconds, sizes bytes.  Strings belong to the configuration;
 * NULL means "not given" where the comment does not say otherwise. */
struct config {
	/* The processes. */
	int mpm;                /* enum config_mpm */
	long processes;         /* -w: fixes the pool at N; 0 = not given */
	long threads_per_child; /* --threads; 1 under prefork when settled */
	long thread_limit;      /* at least threads_per_child; likewise 1 */
	long start_servers;     /* auto until settled, as those around it */
	long min_spare_servers; /* prefork's; 1 under worker */
	long max_spare_servers; /* prefork's; auto under worker */
	long min_spare_threads; /* worker's; these two auto under prefork */
	long max_spare_threads;
	int64_t thread_stack_size; /* bytes; 0 = the system's */
	long max_request_workers;  /* threads in all; when settled a multiple
				    * of threads_per_child */
	long server_limit;
	long max_connections_per_child; /* 0 = no limit */
	long max_requests;              /* of a child; 0 = no limit */
	long max_requests_jitter;
	int64_t restart_interval;     /* age of a child; 0 = no limit */
	int64_t max_memory_per_child; /* bytes that are its own; likewise */
	int64_t graceful_shutdown_timeout;
	int64_t worker_drain_timeout; /* 0 = no limit */
	int64_t startup_timeout;      /* child start to READY; 0 = no limit */
	int64_t idle_exit;            /* 0 = never */
	int signal_style;             /* enum config_signal_style */
	const char *user;
	const char *group;
	bool allow_root;
	const char *run_directory; /* NULL = found by the master */
	const char *pid_file;
	const char *control_group;       /* NULL = none */
	const char *score_board_file;    /* NULL = in the run directory */
	const char *core_dump_directory; /* NULL = nothing is done for them */

	/* The network. */
	struct config_listen *listens; /* 127.0.0.1:8000 when none is given */
	size_t n_listens;
	long listen_backlog;
	bool accept_filter; /* the kernel waits for a client's first bytes */
	long listen_cores_buckets_ratio; /* 0 = off */
	long buckets; /* that follow from it, at least 1 when settled */
	long send_buffer_size; /* of a connection; 0 = the system's */
	long receive_buffer_size;
	int io_engine;     /* enum config_io_engine */
	const char *mutex; /* "default", "flock", "fcntl:/var/lock/x" */

	/* HTTP. */
	long limit_request_line;
	long limit_request_fields; /* 0 = as many as there is room for */
	long limit_request_field_size;
	int64_t limit_request_body;  /* 0 = no limit */
	int64_t request_body_buffer; /* collected before the application runs */
	int64_t request_body_spool;  /* the same in a file; larger ones are read
				     * by the application */
	int64_t response_buffer_size; /* kept of each, for slow clients */
	int64_t timeout;
	struct config_read_timeout request_read_timeout;
	int64_t request_timeout;       /* in the application; 0 = no limit */
	int64_t watchdog_request_time; /* 0 = no limit; likewise the next */
	int64_t deadlock_timeout;
	bool keep_alive;
	int64_t keep_alive_timeout;
	long max_keep_alive_requests; /* 0 = no limit */
	int allow_encoded_slashes;    /* enum config_encoded_slashes */
	bool merge_slashes;
	int server_tokens; /* enum config_server_tokens */

	/* Behind a proxy. */
	struct config_networks trusted_proxies;
	struct config_proxy_headers trusted_proxy_headers;
	int proxy_protocol; /* enum config_proxy_protocol */
	/* What holds for each listener that a child has, a digit each; NULL =
	 * Off for all of them. */
	const char *listener_protocols;

	/* The application. */
	const char *application; /* as in "wsgid APP"; when settled, a script
				  * is an absolute path and what has no
				  * "/" in it is a module */
	const char *callable_object;
	const char *mount_point;  /* NULL = the root */
	bool preload_application; /* once a generation, by a template process */
	const char *warm_up;      /* URLs with commas, for config_read_url */
	const char *directory;    /* --chdir; NULL = where wsgid was started */
	const char *environment_file;
	const char *locale; /* LC_ALL */
	bool script_reloading;
	bool reload; /* when a module's file changes */

	/* Python. */
	const char *python; /* a version, or an absolute path */
	int lib_python;     /* enum choice_library */
	const char *python_home;
	const char *python_path; /* colon-separated */
	long python_optimize;
	const char *python_warnings; /* comma-separated, likewise x_options */
	bool python_dont_write_bytecode;
	const char *python_hash_seed; /* "random" or a number */
	const char *python_x_options;

	/* Logs. */
	const char *error_log; /* a file; "-" = standard error; "journald";
				* NULL = "-" */
	int log_level;         /* enum log_level of base/log.h */
	struct config_access_log *access_logs;
	size_t n_access_logs;

	/* Not directives. */
	const char *file; /* the file read, for messages and for NAME */
	const char *name; /* of the instance: stem of the file, or first port or
			   * socket */
	struct config_private *priv;
};

/* What defaults depend on; a test makes its own. */
struct config_machine {
	int cpus; /* granted: affinity and cgroup quota included, at least 1 */
	/* Settled, of the server that reloads: its MPM, ServerLimit and
	 * ThreadLimit stay.  NULL at the start. */
	const struct config *running;
};

/* A mistake or a correction, with the place it was found at. */
struct config_message {
	bool fatal;       /* else a warning: something was corrected */
	const char *text; /* "FILE:LINE: Directive: sentence", one line */
};

/* All defaults.  The configuration or NULL when memory is short. */
struct config *config_create(void);
void config_destroy(struct config *c);

/* "-D NAME": make <IfDefine NAME> true; before config_read_file.  Also
 * "-D NAME=VALUE" for ${NAME}. */
int config_define(struct config *c, const char *name);

/* Read a file with all it includes.  Relative paths in it resolve against
 * the file's directory.  Whatever is wrong becomes a message; 0, or a
 * negative errno when the file itself cannot be read (a message too). */
int config_read_file(struct config *c, const char *path);

/* The file that has been read is known by another path: c->file. */
void config_call_file(struct config *c, const char *path);

/* The same from memory; name stands for the file in messages.  The text may
 * be config_dump's, which carries the names of the instance and its file. */
int config_read_text(
	struct config *c, const char *name, const char *text, size_t len);

/* Every WSGID_NAME of env, a NULL-terminated list as environ(7); WSGI_APP and
 * WEB_CONCURRENCY, which are weaker; and WSGID_DEFAULT_NAME, which is weaker
 * than the file, as PORT is, which is stronger than that.  A variable that is set to nothing is not set; WSGID_LISTEN
 * is a list with commas or spaces.  Two spellings of a
 * directive that differ in value are a mistake, an unknown WSGID_ name is a
 * warning, as gunicorn's and uWSGI's variables are. */
void config_read_environment(struct config *c, char *const *env);

/* Options of a command line.  Takes argv[*index] and, where the option wants
 * one, its value from argv[*index + 1], and moves *index behind them.
 * 1 when it was a directive's option, 0 when it is none (unknown, or no
 * option at all).  "--name=value", "--name value" and the short aliases;
 * an On/Off directive may stand without a value ("--allow-root") or as
 * "--no-keep-alive".  Relative paths resolve against the current directory. */
int config_read_option(
	struct config *c, int argc, char *const *argv, int *index);

/* The directive-option that a mistyped one may have meant, as "--name", or
 * NULL. */
const char *config_nearest_option(const char *option);
/* What to do instead of an option that another server has, "--name", with a
 * value or without, "-n" or "-kVERB", and next, the word behind it, or NULL;
 * NULL for one that nobody has. */
const char *config_foreign_option(const char *option, const char *next);
/* The same for a word that tells another server what to do: "stop". */
const char *config_foreign_verb(const char *word);

/* One of WSGIWarmUp's: "/path?query", or "https://host:port/path?query". */
struct config_url {
	struct str scheme; /* "http" or "https" */
	struct str host;   /* with its port; p is NULL for a path alone */
	struct str port;   /* p is NULL where there is none */
	struct str target; /* begins with "/", or with "?" behind a host */
};

/* 0, or -EINVAL and a sentence. */
int config_read_url(struct config_url *ret, struct str text, struct err *err);

/* Have a directive whose value is a text say what it says in from, as what runs has it
 * since its start.  Was it something else? */
bool config_keep_text(
	struct config *c, const char *directive, const struct config *from);

/* Set one directive as if written in the strongest source; used for
 * "wsgid APP".  where is for messages. */
void config_set(struct config *c, const char *directive, const char *value,
	const char *where);

/* A mistake that shows only outside of this library, such as a user that does
 * not exist: a fatal message about the value of a directive, or about the
 * i-th CustomLog, LogFormat or, in a sentence that begins with its words,
 * Listen. */
void config_blame(
	struct config *c, const char *directive, const char *sentence);
void config_blame_listen(struct config *c, size_t i, const char *sentence);
void config_blame_access_log(struct config *c, size_t i, const char *sentence);
void config_blame_log_format(struct config *c, size_t i, const char *sentence);

/* What the i-th LogFormat is, whether a CustomLog has it or none; NULL behind
 * the last one. */
const char *config_log_format(const struct config *c, size_t i);

/* What was read well and cannot be had all the same, where it was set;
 * directive may be NULL, where the sentence names it. */
void config_blame_at(struct config *c, const char *where, const char *directive,
	const char *sentence);

/* Two Listens that a server cannot both have: fatal, but no option misread. */
void config_blame_both(struct config *c, size_t earlier, size_t later);

/* Where it was set, for a message: "FILE:LINE", "--bind"; "" for a default. */
const char *config_where(const struct config *c, const char *directive);
const char *config_where_access_log(const struct config *c, size_t i);

/* The same, where it is no mistake: something to know. */
void config_remark(
	struct config *c, const char *directive, const char *sentence);

/* Replace "auto", apply the rules between directives.  -EINVAL when there is
 * any fatal message, from reading too; else 0. */
int config_settle(struct config *c, const struct config_machine *machine);

/* Sockets are passed, of which PORT knows nothing, so that nothing in it is
 * wrong; before config_settle. */
void config_forget_port(struct config *c);

/* Does Mutex name a mechanism?  Apache's words for none are several. */
bool config_has_mutex(const struct config *c);

/* Is there no Listen but the default, or PORT's? */
bool config_listens_by_default(const struct config *c);

/* Sockets are passed, the first with this address, and take the place of a
 * Listen that nobody has written: the instance is named after it, unless a
 * file names it.  0 or -ENOMEM. */
int config_name_after(struct config *c, const char *address);

/* Of a settled configuration: the children that MaxRequestWorkers allows, and
 * the MPM's name. */
long config_most_children(const struct config *c);
const char *config_mpm_name(const struct config *c);

/* Change a settled configuration as if Processes n had been written; n is at
 * least 1 and at most ServerLimit. */
void config_scale(struct config *c, long n);

/* Is the value of an option missing, or none that it can have?  That is a
 * mistake on the command line rather than in the configuration. */
bool config_misread_option(const struct config *c);

/* The messages so far, in the order found; NULL behind the last one. */
const struct config_message *config_message(const struct config *c, size_t i);

/* The settled configuration as text that config_read_text understands. */
int config_dump(const struct config *c, struct buf *out);

/* "wsgid -L": every directive with option, environment name, default, range
 * and help. */
int config_list_directives(struct buf *out);

#endif
