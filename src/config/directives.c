/*
 * directives.c - THE TABLE: every directive, in the order of the manual.
 *
 * Change a directive here and it has changed in the file, on the command
 * line, in the environment, in "wsgid -L" and for the child; the sample
 * (etc/wsgid.conf) and the manual are held against this table by
 * tools/check_directives.py.
 */
#include "config/directive.h"

#include <limits.h>

#include "base/defs.h"
#include "base/log.h"
#include "config/config.h"
#include "config/values.h"

#define AT(member) offsetof(struct config, member)

static const char *const mpms[] = {"prefork", "worker", NULL};
static const char *const engines[] = {"auto", "io_uring", "epoll", NULL};
static const char *const encoded_slashes[] = {"On", "Off", "NoDecode", NULL};
static const char *const server_tokens[] = {"Prod", "Major", "Minor", "Min",
	"OS", "Full", "ProductOnly", "Minimal", NULL};
static const char *const signal_styles[] = {"wsgid", "apache", NULL};
static const char *const proxy_protocols[] = {"Off", "On", "Optional", NULL};
static const char *const proxy_headers[] = {"X-Forwarded-For",
	"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "Forwarded", NULL};
static const char *const libraries[] = {"auto", "static", "shared", NULL};
static const char *const log_levels[] = {
	"error", "warn", "notice", "info", "debug", NULL};

enum {
	/* Counts that Apache corrects when they are out of bounds, as rules.c
	 * does, need only fit an int. */
	COUNT_MAX = INT_MAX,
	PROCESSES_MAX = 200000,
	BUFFER_MAX = 1 << 30, /* the kernel doubles it, in an int */
};
#define YEAR INT64_C(31536000000)

static const struct directive table[] = {
	/* ---- The network. ------------------------------------------- */
	{
		.name = "Listen",
		.option = "--listen",
		.short_option = "-b",
		.other_option = "--bind",
		.type = &value_listen,
		.offset = AT(listens),
		.initial = "127.0.0.1:8000",
		.example = "127.0.0.1:8000",
		.help = "Where to listen: [HOST:]PORT, unix:PATH [mode=0660] "
			"[owner=NAME] [group=NAME], fd:NAME; may be repeated",
	},
	{
		.name = "ListenBacklog",
		.option = "--listen-backlog",
		.type = &value_number,
		.offset = AT(listen_backlog),
		.initial = "511",
		.example = "511",
		.min = 1,
		.max = 65535,
		.help = "How many connections may wait to be accepted; the "
			"kernel's net.core.somaxconn bounds it",
	},
	{
		.name = "ListenCoresBucketsRatio",
		.option = "--listen-cores-buckets-ratio",
		.type = &value_number,
		.offset = AT(listen_cores_buckets_ratio),
		.initial = "0",
		.example = "8",
		.max = COUNT_MAX,
		.change = DIRECTIVE_AT_RESTART,
		.help = "A listening socket and children of their own for so "
			"many CPUs each; 0 is one socket for all",
	},
	{
		.name = "SendBufferSize",
		.option = "--send-buffer-size",
		.type = &value_bytes,
		.offset = AT(send_buffer_size),
		.initial = "0",
		.example = "256k",
		.max = BUFFER_MAX,
		.help = "Bytes that the kernel keeps of what a client has not "
			"taken yet; 0 is as the system does it",
	},
	{
		.name = "ReceiveBufferSize",
		.option = "--receive-buffer-size",
		.type = &value_bytes,
		.offset = AT(receive_buffer_size),
		.initial = "0",
		.example = "256k",
		.max = BUFFER_MAX,
		.help = "Bytes that a client may send before they are read; 0 "
			"is as the system does it",
	},
	{
		.name = "IoEngine",
		.option = "--io-engine",
		.type = &value_choice,
		.offset = AT(io_engine),
		.initial = "auto",
		.example = "auto",
		.words = engines,
		.help = "How children wait for the network: auto, io_uring or "
			"epoll; auto is io_uring where the kernel allows it",
	},
	{
		.name = "Mutex",
		.option = "--mutex",
		.type = &value_text,
		.offset = AT(mutex),
		.initial = "default",
		.example = "flock",
		.change = DIRECTIVE_AT_RESTART,
		.help = "How children take turns at accepting: default, none, "
			"pthread, fcntl[:FILE], flock[:FILE], sysvsem or "
			"posixsem",
	},
	/* ---- The processes. ----------------------------------------- */
	{
		.name = "MPM",
		.option = "--mpm",
		.type = &value_choice,
		.offset = AT(mpm),
		.initial = "prefork",
		.example = "prefork",
		.words = mpms,
		.change = DIRECTIVE_AT_RESTART,
		.help = "What serves requests: prefork (processes of one "
			"thread) or worker (processes of several threads)",
	},
	{
		.name = "Processes",
		.option = "--processes",
		.short_option = "-w",
		.other_option = "--workers",
		.other_environment = "WEB_CONCURRENCY",
		.type = &value_number,
		.offset = AT(processes),
		.example = "4",
		.min = 1,
		.max = PROCESSES_MAX,
		.help = "Fix the pool at so many children, instead of letting "
			"it grow and shrink",
	},
	{
		.name = "ThreadsPerChild",
		.option = "--threads-per-child",
		.other_option = "--threads",
		.type = &value_auto_number,
		.offset = AT(threads_per_child),
		.initial = "auto",
		.example = "8",
		.max = COUNT_MAX,
		.help = "Threads of each child; auto is 8 with MPM worker; "
			"more than 1 selects it where no MPM is named",
	},
	{
		.name = "ThreadLimit",
		.option = "--thread-limit",
		.type = &value_auto_number,
		.offset = AT(thread_limit),
		.initial = "auto",
		.example = "64",
		.max = COUNT_MAX,
		.change = DIRECTIVE_AT_RESTART,
		.help = "To what ThreadsPerChild can be raised without a "
			"restart; auto is 64 or ThreadsPerChild",
	},
	{
		.name = "ThreadStackSize",
		.option = "--thread-stack-size",
		.type = &value_size,
		.offset = AT(thread_stack_size),
		.initial = "0",
		.example = "8m",
		.max = INT64_C(1) << 30,
		.help = "Bytes of the stack of each thread of MPM worker; 0 is "
			"what the system gives",
	},
	{
		.name = "StartServers",
		.option = "--start-servers",
		.type = &value_auto_number,
		.offset = AT(start_servers),
		.initial = "auto",
		.example = "4",
		.max = COUNT_MAX,
		.help = "Children to begin with; auto is one for each CPU",
	},
	{
		.name = "MinSpareServers",
		.option = "--min-spare-servers",
		.type = &value_number,
		.offset = AT(min_spare_servers),
		.initial = "1",
		.example = "1",
		.max = COUNT_MAX,
		.help = "MPM prefork: start children when fewer than these are "
			"idle",
	},
	{
		.name = "MaxSpareServers",
		.option = "--max-spare-servers",
		.type = &value_auto_number,
		.offset = AT(max_spare_servers),
		.initial = "auto",
		.example = "10",
		.max = COUNT_MAX,
		.help = "MPM prefork: retire children when more are idle; auto "
			"is the CPUs, and more than MinSpareServers",
	},
	{
		.name = "MinSpareThreads",
		.option = "--min-spare-threads",
		.type = &value_auto_number,
		.offset = AT(min_spare_threads),
		.initial = "auto",
		.example = "8",
		.max = COUNT_MAX,
		.help = "MPM worker: start children when fewer threads are "
			"idle; auto is half of ThreadsPerChild",
	},
	{
		.name = "MaxSpareThreads",
		.option = "--max-spare-threads",
		.type = &value_auto_number,
		.offset = AT(max_spare_threads),
		.initial = "auto",
		.example = "32",
		.max = COUNT_MAX,
		.help = "MPM worker: retire children when more threads are "
			"idle; auto is ThreadsPerChild for each CPU",
	},
	{
		.name = "MaxRequestWorkers",
		.alias = "MaxClients",
		.option = "--max-request-workers",
		.alias_option = "--max-clients",
		.type = &value_auto_number,
		.offset = AT(max_request_workers),
		.initial = "auto",
		.example = "16",
		.max = COUNT_MAX,
		.help = "How many requests run at once; auto is 4 for each "
			"CPU, or with MPM worker 2 children for each",
	},
	{
		.name = "ServerLimit",
		.option = "--server-limit",
		.type = &value_auto_number,
		.offset = AT(server_limit),
		.initial = "auto",
		.example = "256",
		.max = COUNT_MAX,
		.change = DIRECTIVE_AT_RESTART,
		.help = "To how many children the pool can be made to grow "
			"without a restart; auto is 256 or what it needs",
	},
	{
		.name = "MaxConnectionsPerChild",
		.alias = "MaxRequestsPerChild",
		.option = "--max-connections-per-child",
		.alias_option = "--max-requests-per-child",
		.type = &value_number,
		.offset = AT(max_connections_per_child),
		.initial = "0",
		.example = "10000",
		.max = COUNT_MAX,
		.help = "Replace a child after so many connections; 0 is never",
	},
	{
		.name = "MaxRequests",
		.option = "--max-requests",
		.type = &value_number,
		.offset = AT(max_requests),
		.initial = "0",
		.example = "10000",
		.max = COUNT_MAX,
		.help = "Replace a child after so many requests; 0 is never",
	},
	{
		.name = "MaxRequestsJitter",
		.option = "--max-requests-jitter",
		.type = &value_number,
		.offset = AT(max_requests_jitter),
		.initial = "0",
		.example = "1000",
		.max = COUNT_MAX,
		.help = "Add up to so many requests to MaxRequests, by chance, "
			"so that not all children go together",
	},
	{
		.name = "GracefulShutdownTimeout",
		.option = "--graceful-shutdown-timeout",
		.type = &value_time,
		.offset = AT(graceful_shutdown_timeout),
		.initial = "30s",
		.example = "30s",
		.max = YEAR,
		.help = "How long a graceful stop waits for requests that are "
			"running; 0 is as long as they take",
	},
	{
		.name = "WorkerDrainTimeout",
		.option = "--worker-drain-timeout",
		.type = &value_time,
		.offset = AT(worker_drain_timeout),
		.initial = "60s",
		.example = "60s",
		.max = YEAR,
		.help = "How long a child that is being replaced may finish "
			"its "
			"requests; 0 is as long as they take",
	},
	{
		.name = "StartupTimeout",
		.option = "--startup-timeout",
		.type = &value_time,
		.offset = AT(startup_timeout),
		.initial = "60s",
		.example = "60s",
		.max = YEAR,
		.help = "How long a child may take until the application is "
			"imported; 0 is no limit",
	},
	{
		.name = "IdleExit",
		.option = "--idle-exit",
		.type = &value_time,
		.offset = AT(idle_exit),
		.initial = "0",
		.example = "60s",
		.max = YEAR,
		.help = "End after so long without a client, to be started "
			"again by systemd's socket; 0 is never",
	},
	{
		.name = "SignalStyle",
		.option = "--signal-style",
		.type = &value_choice,
		.offset = AT(signal_style),
		.initial = "wsgid",
		.example = "wsgid",
		.words = signal_styles,
		.help = "What signals mean: wsgid (TERM stops gracefully) or "
			"apache (Apache's own meaning)",
	},
	{
		.name = "User",
		.option = "--user",
		.type = &value_text,
		.offset = AT(user),
		.example = "www-data",
		.help = "Who runs the children when started as root; else "
			"$SUDO_USER, www-data or nobody",
	},
	{
		.name = "Group",
		.option = "--group",
		.type = &value_text,
		.offset = AT(group),
		.example = "www-data",
		.help = "The group of the children; else the one of User",
	},
	{
		.name = "AllowRoot",
		.option = "--allow-root",
		.type = &value_flag,
		.offset = AT(allow_root),
		.initial = "Off",
		.example = "On",
		.help = "Let the application run as root when User says so",
	},
	{
		.name = "RunDirectory",
		.option = "--run-directory",
		.type = &value_path,
		.offset = AT(run_directory),
		.example = "/run/wsgid",
		.change = DIRECTIVE_AT_RESTART,
		.help = "For the pid file, the control socket and the "
			"scoreboard; else $RUNTIME_DIRECTORY or /run/wsgid",
	},
	{
		.name = "PidFile",
		.option = "--pid-file",
		.type = &value_path,
		.offset = AT(pid_file),
		.example = "/run/wsgid/wsgid.pid",
		.change = DIRECTIVE_AT_RESTART,
		.help = "A second file that names the master's process, beside "
			"NAME.pid in RunDirectory",
	},
	{
		.name = "ControlGroup",
		.option = "--control-group",
		.type = &value_text,
		.offset = AT(control_group),
		.example = "adm",
		.change = DIRECTIVE_AT_RESTART,
		.help = "A group whose members may use wsgictl, beside root "
			"and the user who has started the server",
	},
	{
		.name = "ScoreBoardFile",
		.option = "--score-board-file",
		.type = &value_path,
		.offset = AT(score_board_file),
		.example = "/run/wsgid/board",
		.change = DIRECTIVE_AT_RESTART,
		.help = "The file of the scoreboard, instead of "
			"NAME.scoreboard in RunDirectory",
	},
	{
		.name = "CoreDumpDirectory",
		.option = "--core-dump-directory",
		.type = &value_path,
		.offset = AT(core_dump_directory),
		.example = "/srv/site/dumps",
		.help = "Where a child that crashes leaves its coredump; "
			"without it none is asked for",
	},
	/* ---- HTTP. -------------------------------------------------- */
	{
		.name = "Timeout",
		.option = "--timeout",
		.type = &value_time,
		.offset = AT(timeout),
		.initial = "60s",
		.example = "60s",
		.min = 1,
		.max = YEAR,
		.help = "How long a client may send or take nothing within a "
			"request",
	},
	{
		.name = "RequestReadTimeout",
		.option = "--request-read-timeout",
		.type = &value_read_timeout,
		.offset = AT(request_read_timeout),
		.initial = "header=20-40,MinRate=500 body=20,MinRate=500",
		.example = "header=20-40,MinRate=500 body=20,MinRate=500",
		.help = "How long a client may take to send a head and a body, "
			"and how fast; or it is answered 408",
	},
	{
		.name = "RequestTimeout",
		.option = "--request-timeout",
		.type = &value_time,
		.offset = AT(request_timeout),
		.initial = "0",
		.example = "30s",
		.max = YEAR,
		.help = "After this time a request's traceback is logged and "
			"its child replaced; 0 is never",
	},
	{
		.name = "WatchdogRequestTime",
		.option = "--watchdog-request-time",
		.type = &value_time,
		.offset = AT(watchdog_request_time),
		.initial = "300s",
		.example = "300s",
		.max = YEAR,
		.help = "systemd restarts the service when all workers have "
			"been in a request for so long; 0 is never",
	},
	{
		.name = "DeadlockTimeout",
		.option = "--deadlock-timeout",
		.type = &value_time,
		.offset = AT(deadlock_timeout),
		.initial = "300s",
		.example = "300s",
		.max = YEAR,
		.help = "systemd restarts the service when no child has had "
			"the GIL for so long; 0 is never",
	},
	{
		.name = "KeepAlive",
		.option = "--keep-alive",
		.type = &value_flag,
		.offset = AT(keep_alive),
		.initial = "On",
		.example = "On",
		.help = "Serve more than one request on a connection",
	},
	{
		.name = "KeepAliveTimeout",
		.option = "--keep-alive-timeout",
		.type = &value_time,
		.offset = AT(keep_alive_timeout),
		.initial = "75s",
		.example = "75s",
		.min = 1,
		.max = YEAR,
		.help = "How long a connection may wait for its next request; "
			"it costs no worker meanwhile",
	},
	{
		.name = "MaxKeepAliveRequests",
		.option = "--max-keep-alive-requests",
		.type = &value_number,
		.offset = AT(max_keep_alive_requests),
		.initial = "0",
		.example = "1000",
		.max = COUNT_MAX,
		.help = "Close a connection after so many requests; 0 is never",
	},
	{
		.name = "LimitRequestLine",
		.option = "--limit-request-line",
		.type = &value_bytes,
		.offset = AT(limit_request_line),
		.initial = "8190",
		.example = "8190",
		.min = 256,
		.max = 65536,
		.help = "Bytes of a request line; a longer one is answered 414",
	},
	{
		.name = "LimitRequestFields",
		.option = "--limit-request-fields",
		.type = &value_number,
		.offset = AT(limit_request_fields),
		.initial = "100",
		.example = "100",
		.max = 1000,
		.help = "Header fields of a request; more are answered 431; 0 "
			"is as many as there is room for",
	},
	{
		.name = "LimitRequestFieldSize",
		.option = "--limit-request-field-size",
		.type = &value_bytes,
		.offset = AT(limit_request_field_size),
		.initial = "8190",
		.example = "8190",
		.min = 256,
		.max = 65536,
		.help = "Bytes of one header field; a longer one is answered "
			"431",
	},
	{
		.name = "LimitRequestBody",
		.option = "--limit-request-body",
		.type = &value_size,
		.offset = AT(limit_request_body),
		.initial = "1g",
		.example = "100m",
		.help = "Bytes of a request body; more are answered 413; 0 is "
			"no limit, 1g is Apache's default",
	},
	{
		.name = "RequestBodyBuffer",
		.option = "--request-body-buffer",
		.type = &value_size,
		.offset = AT(request_body_buffer),
		.initial = "1m",
		.example = "1m",
		.max = INT64_C(1) << 30,
		.help = "Bytes of a request body that are collected before the "
			"application runs",
	},
	{
		.name = "RequestBodySpool",
		.option = "--request-body-spool",
		.type = &value_size,
		.offset = AT(request_body_spool),
		.initial = "0",
		.example = "100m",
		.help = "Bytes of a larger body that are collected in a "
			"temporary file; 0: the application reads it",
	},
	{
		.name = "AllowEncodedSlashes",
		.option = "--allow-encoded-slashes",
		.type = &value_choice,
		.offset = AT(allow_encoded_slashes),
		.initial = "On",
		.example = "NoDecode",
		.words = encoded_slashes,
		.help = "%2F in a path: On is a slash, NoDecode stays as it "
			"is, "
			"Off is answered 404",
	},
	{
		.name = "MergeSlashes",
		.option = "--merge-slashes",
		.type = &value_flag,
		.offset = AT(merge_slashes),
		.initial = "Off",
		.example = "On",
		.help = "Show the application one slash where a path has "
			"several in a row",
	},
	{
		.name = "ServerTokens",
		.option = "--server-tokens",
		.type = &value_choice,
		.offset = AT(server_tokens),
		.initial = "Prod",
		.example = "Min",
		.words = server_tokens,
		.help = "What Server says: wsgid (Prod), with a version "
			"(Major, "
			"Minor, Min), the system (OS), Python (Full)",
	},
	/* ---- Behind a proxy. ---------------------------------------- */
	{
		.name = "TrustedProxies",
		.option = "--trusted-proxies",
		.other_option = "--forwarded-allow-ips",
		.type = &value_networks,
		.offset = AT(trusted_proxies),
		.example = "127.0.0.1 10.0.0.0/8 unix:",
		.help = "Who is believed about his clients: addresses, "
			"networks, unix: or * for all; may be repeated",
	},
	{
		.name = "TrustedProxyHeaders",
		.option = "--trusted-proxy-headers",
		.type = &value_set,
		.offset = AT(trusted_proxy_headers),
		.initial = "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host "
			   "X-Forwarded-Port X-Forwarded-Prefix Forwarded",
		.example = "X-Forwarded-For X-Forwarded-Proto",
		.words = proxy_headers,
		.help = "What the trusted proxies set themselves; the others "
			"of these are taken out of requests",
	},
	{
		.name = "ProxyProtocol",
		.option = "--proxy-protocol",
		.type = &value_choice,
		.offset = AT(proxy_protocol),
		.initial = "Off",
		.example = "On",
		.words = proxy_protocols,
		.help = "Whether connections of trusted proxies begin with the "
			"PROXY protocol: Off, On or Optional",
	},
	/* ---- The application. --------------------------------------- */
	{
		.name = "WSGIApplication",
		.option = "--application",
		.other_environment = "WSGI_APP",
		.type = &value_text,
		.offset = AT(application),
		.example = "package.module:callable",
		.help = "The application: package.module[:callable], "
			"package.module:factory() or the path of a script",
	},
	{
		.name = "WSGICallableObject",
		.option = "--callable-object",
		.type = &value_text,
		.offset = AT(callable_object),
		.initial = "application",
		.example = "application",
		.help = "The callable's name where WSGIApplication gives none",
	},
	{
		.name = "WSGIPreloadApplication",
		.option = "--preload-application",
		.other_option = "--preload",
		.type = &value_flag,
		.offset = AT(preload_application),
		.initial = "Off",
		.example = "On",
		.help = "Import the application once, in a template process "
			"that children are forked from: less memory",
	},
	{
		.name = "ChDir",
		.option = "--chdir",
		.type = &value_path,
		.offset = AT(directory),
		.example = "/srv/site",
		.help = "The directory to run in and to look the application "
			"up "
			"from; else where wsgid was started",
	},
	{
		.name = "EnvironmentFile",
		.option = "--environment-file",
		.type = &value_path,
		.offset = AT(environment_file),
		.example = "/srv/site/.env",
		.help = "A file of NAME=VALUE lines for the application's "
			"environment, read again at a reload",
	},
	{
		.name = "Locale",
		.option = "--locale",
		.type = &value_text,
		.offset = AT(locale),
		.example = "C.UTF-8",
		.help = "The application's locale, LC_ALL; else what the "
			"environment says",
	},
	{
		.name = "WSGIScriptReloading",
		.option = "--script-reloading",
		.type = &value_flag,
		.offset = AT(script_reloading),
		.initial = "Off",
		.example = "On",
		.help = "Run a script again when its file has changed, before "
			"the next request",
	},
	{
		.name = "WSGIReload",
		.option = "--reload",
		.type = &value_flag,
		.offset = AT(reload),
		.initial = "Off",
		.example = "On",
		.help = "For development: reload when a module's file changes, "
			"and show why it does not load",
	},
	/* ---- Python. ------------------------------------------------ */
	{
		.name = "Python",
		.option = "--python",
		.type = &value_interpreter,
		.offset = AT(python),
		.example = "3.11",
		.help = "Which Python, of those wsgid was built for: a "
			"version, or the path of an interpreter",
	},
	{
		.name = "LibPython",
		.option = "--lib-python",
		.type = &value_choice,
		.offset = AT(lib_python),
		.initial = "auto",
		.example = "shared",
		.words = libraries,
		.help = "Python's library: auto, static (faster, as of the "
			"build) or shared (as installed)",
	},
	{
		.name = "WSGIPythonHome",
		.option = "--python-home",
		.type = &value_path,
		.offset = AT(python_home),
		.example = "/srv/site/venv",
		.help = "A virtual environment, or the prefix of an "
			"installation; it decides which Python",
	},
	{
		.name = "WSGIPythonPath",
		.option = "--python-path",
		.type = &value_path_list,
		.offset = AT(python_path),
		.example = "/srv/site/lib:/srv/lib",
		.help = "Directories to import from before all others, "
			"separated by colons",
	},
	{
		.name = "WSGIPythonOptimize",
		.option = "--python-optimize",
		.type = &value_number,
		.offset = AT(python_optimize),
		.initial = "0",
		.example = "1",
		.max = 2,
		.help = "Python's -O: 1 leaves assert statements out, 2 "
			"docstrings as well",
	},
	{
		.name = "WSGIPythonWarnings",
		.option = "--python-warnings",
		.type = &value_texts,
		.offset = AT(python_warnings),
		.example = "error::DeprecationWarning",
		.help = "Python's -W: filters of warnings, separated by "
			"commas; "
			"may be repeated",
	},
	{
		.name = "WSGIPythonDontWriteBytecode",
		.alias = "WSGIDontWriteBytecode",
		.option = "--python-dont-write-bytecode",
		.alias_option = "--dont-write-bytecode",
		.type = &value_flag,
		.offset = AT(python_dont_write_bytecode),
		.initial = "Off",
		.example = "On",
		.help = "Python's -B: write no .pyc files",
	},
	{
		.name = "WSGIPythonHashSeed",
		.option = "--python-hash-seed",
		.type = &value_hash_seed,
		.offset = AT(python_hash_seed),
		.example = "random",
		.help = "What hashes of texts depend on: random, or a number "
			"to 4294967295; else PYTHONHASHSEED",
	},
	{
		.name = "WSGIPythonXOptions",
		.option = "--python-x-options",
		.type = &value_texts,
		.offset = AT(python_x_options),
		.example = "dev",
		.help = "Python's -X: options, separated by commas; utf8 is "
			"its UTF-8 mode; may be repeated",
	},
	/* ---- Logs. -------------------------------------------------- */
	{
		.name = "ErrorLog",
		.option = "--error-log",
		.type = &value_log_target,
		.offset = AT(error_log),
		.initial = "-",
		.example = "/var/log/wsgid/error.log",
		.help = "The file of the error log; - is standard error, "
			"journald "
			"systemd's journal",
	},
	{
		.name = "LogLevel",
		.option = "--log-level",
		.type = &value_choice,
		.offset = AT(log_level),
		.initial = "notice",
		.example = "info",
		.min = LOG_LEVEL_ERROR,
		.words = log_levels,
		.help = "What the error log is told: error, warn, notice, info "
			"or debug",
	},
	{
		.name = "LogFormat",
		.option = "--log-format",
		.type = &value_log_format,
		.example = "\"%h %t \\\"%r\\\" %>s %D\" brief",
		.help = "Give a format of CustomLog a nickname; common and "
			"combined exist; may be repeated",
	},
	{
		.name = "CustomLog",
		.option = "--custom-log",
		.other_option = "--access-log",
		.type = &value_access_log,
		.offset = AT(access_logs),
		.example = "/var/log/wsgid/access.log combined",
		.help = "An access log: a file or - (standard output), and a "
			"format or nickname, else combined; may be repeated",
	},
	/* ---- For children. ------------------------------------------ */
	{
		.name = "InstanceName",
		.where = DIRECTIVE_DUMPED,
		.type = &value_text,
		.offset = AT(name),
		.example = "wsgid",
		.help = "The name that the master has settled on",
	},
	{
		.name = "InstanceBuckets",
		.where = DIRECTIVE_DUMPED,
		.type = &value_number,
		.offset = AT(buckets),
		.initial = "0",
		.example = "2",
		.max = COUNT_MAX,
		.help = "What the master has made of ListenCoresBucketsRatio",
	},
	{
		.name = "InstanceProxyProtocol",
		.where = DIRECTIVE_DUMPED,
		.type = &value_text,
		.offset = AT(listener_protocols),
		.example = "01",
		.help = "What the master has made of ProxyProtocol",
	},
	{
		.name = "InstanceFile",
		.where = DIRECTIVE_DUMPED,
		.type = &value_text,
		.offset = AT(file),
		.example = "/etc/wsgid/wsgid.conf",
		.help = "The file that the master has read",
	},
};

size_t
directive_count(void)
{
	return ARRAY_LEN(table);
}

const struct directive *
directive_at(size_t i)
{
	return i < ARRAY_LEN(table) ? &table[i] : NULL;
}

size_t
directive_index(const struct directive *row)
{
	return (size_t)(row - table);
}
