/*
 * directives.c - THE TABLE: every directive, in the order of the manual; those
 * about processes are in directives_processes.c.
 *
 * Change a directive here and it has changed in the file, on the command
 * line, in the environment, in "wsgid -L" and for the child; the sample
 * (etc/wsgid.conf) and the manual are held against this table by
 * tools/check_directives.py.
 */
#include "config/directive.h"

#include <stdint.h>

#include "base/defs.h"
#include "base/log.h"
#include "config/config.h"
#include "config/directives_priv.h"
#include "config/values.h"

static const char *const engines[] = {"auto", "io_uring", "epoll", NULL};
static const char *const encoded_slashes[] = {"On", "Off", "NoDecode", NULL};
static const char *const server_tokens[] = {"Prod", "Major", "Minor", "Min",
	"OS", "Full", "ProductOnly", "Minimal", NULL};
static const char *const proxy_protocols[] = {"Off", "On", "Optional", NULL};
static const char *const proxy_headers[] = {"X-Forwarded-For",
	"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "Forwarded", NULL};
static const char *const libraries[] = {
	"auto", "interpreter", "static", "shared", NULL};
static const char *const log_levels[] = {
	"error", "warn", "notice", "info", "debug", NULL};
static const char *const log_level_habits[] = {"emerg", "error", "alert",
	"error", "crit", "error", "critical", "error", "err", "error",
	"warning", "warn", "trace", "debug", NULL};

enum {
	BUFFER_MAX = 1 << 30, /* the kernel doubles it, in an int */
};

static const struct directive network[] = {
	/* ---- The network. ------------------------------------------- */
	{
		.name = "Listen",
		.option = "--listen",
		.short_option = "-b",
		.other_option = "--bind",
		.other_environment = "PORT",
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
		.initial = "4096",
		.example = "4096",
		.min = 1,
		.max = 65535,
		.help = "How many connections may wait to be accepted; the "
			"kernel's net.core.somaxconn bounds it",
	},
	{
		.name = "AcceptFilter",
		.option = "--accept-filter",
		.type = &value_accept_filter,
		.offset = AT(accept_filter),
		.initial = "http data",
		.example = "http none",
		.help = "http data: the kernel gives a connection to a child "
			"when its first bytes are there; http none: at once",
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
		.type = &value_mutex,
		.offset = AT(mutex),
		.initial = "default",
		.example = "flock",
		.change = DIRECTIVE_AT_RESTART,
		.help = "How children take turns at accepting: default, none, "
			"pthread, fcntl[:FILE], flock[:FILE], sysvsem or "
			"posixsem",
	},
};

static const struct directive others[] = {
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
		.help = "systemd restarts the service when for so long all "
			"workers are in a request, or no child stays ready; 0: "
			"never",
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
		.name = "ResponseBufferSize",
		.option = "--response-buffer-size",
		.type = &value_size,
		.offset = AT(response_buffer_size),
		.initial = "64k",
		.example = "256k",
		.max = INT64_C(1) << 30,
		.help = "Bytes of a response that is still being made which "
			"are kept for a client that is slow",
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
		.type = &value_proxy_headers,
		.offset = AT(trusted_proxy_headers),
		.initial = "X-Forwarded-For X-Forwarded-Proto",
		.example = "X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host",
		.words = proxy_headers,
		.help = "What the trusted proxies set themselves (others "
			"too: X-Forwarded-User); the rest is taken out",
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
			"package.module:factory() or a script's "
			"path[:callable]",
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
		.name = "MountPoint",
		.option = "--mount-point",
		.type = &value_mount_point,
		.offset = AT(mount_point),
		.initial = "/",
		.example = "/shop",
		.help = "The path that the application is below; others are "
			"answered 404",
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
		.name = "WSGIWarmUp",
		.option = "--warm-up",
		.type = &value_urls,
		.offset = AT(warm_up),
		.example = "/",
		.help = "What a process asks its application for before it "
			"serves: paths or URLs, separated by commas; may be "
			"repeated",
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
		.help = "Python's library: auto, interpreter (what is in it), "
			"static (that, or the one of the build) or shared",
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
		.help = "Directories and zip files, separated by colons, to "
			"import from: behind the working directory",
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
		.type = &value_x_options,
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
		.habits = log_level_habits,
		.help = "What the error log is told: error, warn, notice, info "
			"or debug",
	},
	{
		.name = "LogFormat",
		.option = "--log-format",
		.type = &value_log_format,
		.example = "\"%h %t \\\"%r\\\" %>s %D\" brief",
		.help = "Give a format of CustomLog a nickname; common, "
			"combined and json exist; may be repeated",
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

static const struct directive_rows network_rows = {network, ARRAY_LEN(network)};
static const struct directive_rows other_rows = {others, ARRAY_LEN(others)};

static const struct directive_rows *const table[] = {
	&network_rows,
	&directives_processes,
	&other_rows,
};

size_t
directive_count(void)
{
	size_t n = 0;

	for (size_t part = 0; part < ARRAY_LEN(table); part++)
		n += table[part]->n;
	return n;
}

const struct directive *
directive_at(size_t i)
{
	for (size_t part = 0; part < ARRAY_LEN(table); part++) {
		if (i < table[part]->n)
			return &table[part]->first[i];
		i -= table[part]->n;
	}
	return NULL;
}

/* The distance between arrays is no number, so that places are compared. */
size_t
directive_index(const struct directive *row)
{
	uintptr_t place = (uintptr_t)row;
	size_t before = 0;

	for (size_t part = 0; part < ARRAY_LEN(table); part++) {
		const struct directive *first = table[part]->first;
		size_t n = table[part]->n;

		if (place >= (uintptr_t)first && place < (uintptr_t)(first + n))
			return before + (size_t)(row - first);
		before += n;
	}
	return before;
}
