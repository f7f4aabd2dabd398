/*
 * foreign.c - what to do without a directive that wsgid does not have.
 *
 * An administrator comes from somewhere: a name of Apache's, mod_wsgi's,
 * gunicorn's, uWSGI's or of another server gets the sentence that leads on, also
 * as an option, a variable of the environment, or a verb.
 */
#include <ctype.h>
#include <string.h>

#include "config/directive.h"

struct foreign {
	const char *name; /* "SSL*" stands for all that begin so */
	const char *advice;
};

#define ENVIRONMENT                                              \
	"set the variable in wsgid's own environment (systemd: " \
	"Environment=), or in an EnvironmentFile"
#define WORKERS                                                            \
	"there are two kinds, prefork and, with ThreadsPerChild above 1, " \
	"worker; leave it out"

#define FILES \
	"wsgid serves no files; let the application or a proxy do it"
#define ACCESS \
	"access control is the business of the application or a proxy"
#define HEADERS                                                            \
	"response headers are the business of the application or a proxy"
#define COMPRESSION \
	"compression is the business of the application or a proxy"
#define REDIRECTION \
	"redirection is the business of the application or a proxy"
#define ONE_APPLICATION                                                  \
	"wsgid serves one application; name it with WSGIApplication, and " \
	"the path that it is below with MountPoint"
#define HOST "the Host field of the request names the server; leave it out"
#define TLS  "wsgid speaks no TLS; let a proxy do it"
#define LIMITS                                                             \
	"set it where wsgid is started (systemd: LimitNOFILE=, MemoryMax= " \
	"and their like)"
#define SUPERVISOR \
	"other programs are the business of systemd or another supervisor"
#define METRICS \
	"\"wsgictl status --json\" and the scoreboard have the numbers"
#define LOGGING \
	"lines of the error log have one form; write ErrorLog and LogLevel"
#define HOOKS \
	"wsgid calls no hooks; what is to run first belongs in the application"
#define SPARE \
	"write MinSpareServers and MaxSpareServers, or Min- and MaxSpareThreads"
#define KINDS_OF_SOCKET "write Listen; wsgid speaks HTTP alone"
#define ADDRESS         "write Listen HOST:PORT, which is -b HOST:PORT as an option"
#define UMASK           "set it where wsgid is started (systemd: UMask=)"
#define NAME            "the configuration file names the processes"
#define MADE                                                                \
	"name the function that makes the application with \"()\" behind, " \
	"as in package.module:make()"
#define WATCHED "WSGIReload watches what is imported; leave it out"
#define INHERITED                                                          \
	"what the application prints always goes to the error log; leave " \
	"it out"

static const struct foreign foreigners[] = {
	/* mod_wsgi's. */
	{"WSGIScriptAlias", ONE_APPLICATION},
	{"WSGIScriptAliasMatch", ONE_APPLICATION},
	{"WSGIDaemonProcess",
		"wsgid has one pool of processes; its size is Processes or "
		"MaxRequestWorkers, its user User, its Python WSGIPythonHome"},
	{"WSGIProcessGroup", "wsgid has one pool of processes; leave it out"},
	{"WSGIApplicationGroup",
		"every child runs the main interpreter; leave it out"},
	{"WSGIImportScript",
		"the application is always imported before the first request, "
		"and asked for what WSGIWarmUp names; leave it out"},
	{"WSGIPassAuthorization",
		"HTTP_AUTHORIZATION is always passed; leave it out"},
	{"WSGIRestrictEmbedded", "there is no embedded mode; leave it out"},
	{"WSGIRestrictStdin", "standard input is always empty; leave it out"},
	{"WSGIRestrictStdout",
		"standard output goes to the error log; leave it out"},
	{"WSGIRestrictSignal", "signals belong to wsgid; leave it out"},
	{"WSGILazyInitialization",
		"Python is always initialised in the child; leave it out"},
	{"WSGIChunkedRequest", "chunked requests are always read; leave it "
			       "out"},
	{"WSGITrustedProxies", "write TrustedProxies"},
	{"WSGITrustedProxyHeaders", "write TrustedProxyHeaders"},
	{"WSGIAcceptMutex", "use Mutex, or leave it out"},
	{"WSGISocketPrefix", "sockets are in RunDirectory"},
	{"WSGIHandlerScript", ONE_APPLICATION},
	{"WSGIAccessScript", ACCESS},
	{"WSGIAuthUserScript", ACCESS},
	{"WSGIAuthGroupScript", ACCESS},
	{"WSGICaseSensitivity",
		"names of files are case-sensitive; leave it out"},
	{"WSGIDestroyInterpreter",
		"a child has one interpreter, which ends with it; leave it "
		"out"},
	{"WSGIEnableSendfile",
		"wsgi.file_wrapper is always there; leave it out"},
	{"WSGIErrorOverride",
		"error pages are the business of the application or a proxy"},
	{"WSGIIgnoreActivity",
		"processes have no inactivity-timeout; leave it out"},
	{"WSGIMapHEADToGET",
		"the application sees HEAD where a client sends it; leave it "
		"out"},
	{"WSGIPy3kWarningFlag", "it is about Python 2; leave it out"},
	{"WSGIPythonEggs",
		"set PYTHON_EGG_CACHE in wsgid's own environment, or in an "
		"EnvironmentFile"},
	{"WSGIRestrictProcess",
		"wsgid has one pool of processes; leave it out"},
	{"WSGIServerMetrics", METRICS},
	{"WSGISocketRotation", "a reload keeps the sockets; leave it out"},
	{"WSGISwitchInterval",
		"let the application call sys.setswitchinterval"},
	{"WSGIVerboseDebugging", "write LogLevel debug"},
	/* Apache's. */
	{"TransferLog", "write CustomLog, with the format common"},
	{"ServerRoot", "relative paths begin at the directory of the file "
		       "that they are written in"},
	{"ServerName", HOST},
	{"ServerAlias", HOST},
	{"ServerAdmin", "leave it out"},
	{"DocumentRoot", FILES},
	{"DirectoryIndex", FILES},
	{"Alias", FILES},
	{"ScriptAlias", "wsgid runs no CGI programs; leave it out"},
	{"LoadModule", "wsgid has no modules; leave it out"},
	{"LockFile", "wsgid needs no lock file; leave it out"},
	{"AcceptMutex", "use Mutex, or leave it out"},
	{"HostnameLookups", "names of clients are never looked up; leave it "
			    "out"},
	{"ErrorDocument", "error pages are the business of the application or "
			  "a proxy"},
	{"Header", HEADERS},
	{"RequestHeader", "request headers are the business of a proxy"},
	{"Require", ACCESS},
	{"SetEnv", ENVIRONMENT},
	{"PassEnv", "the application sees wsgid's environment; leave it out"},
	{"SSL*", TLS},
	{"Rewrite*", "wsgid rewrites no URLs; let the application or a proxy "
		     "do it"},
	{"ProxyPass*", "wsgid is no proxy"},
	{"ProxyRequests", "wsgid is no proxy"},
	{"ProxyPreserveHost", "wsgid is no proxy"},
	{"ProxyVia", "wsgid is no proxy"},
	{"RemoteIPTrustedProxy", "write TrustedProxies"},
	{"RemoteIPInternalProxy", "write TrustedProxies"},
	{"RemoteIPHeader", "write TrustedProxyHeaders, and TrustedProxies"},
	{"RemoteIPProxyProtocol", "write ProxyProtocol, and TrustedProxies"},
	{"AsyncRequestWorkerFactor",
		"a connection that is kept alive holds no worker; leave it "
		"out"},
	{"MaxMemFree",
		"it is about Apache's own memory; write MaxMemoryPerChild"},
	{"EnableExceptionHook",
		"a crash is always told in the error log; leave it out"},
	{"EnableMMAP", FILES},
	{"EnableSendfile", FILES},
	{"FileETag", FILES},
	{"Options", FILES},
	{"AllowOverride", FILES},
	{"AllowOverrideList", FILES},
	{"AccessFileName", FILES},
	{"AliasMatch", FILES},
	{"Index*", FILES},
	{"UserDir", FILES},
	{"TypesConfig", FILES},
	{"MIMEMagicFile", FILES},
	{"ScriptAliasMatch", "wsgid runs no CGI programs; leave it out"},
	{"AddHandler", "wsgid has no handlers; leave it out"},
	{"SetHandler", "wsgid has no handlers; leave it out"},
	{"AddType", HEADERS},
	{"AddEncoding", HEADERS},
	{"AddCharset", HEADERS},
	{"AddLanguage", HEADERS},
	{"AddDefaultCharset", HEADERS},
	{"ForceType", HEADERS},
	{"DefaultType", HEADERS},
	{"Expires*", HEADERS},
	{"AddOutputFilterByType", COMPRESSION},
	{"AddOutputFilter", COMPRESSION},
	{"SetOutputFilter", COMPRESSION},
	{"Deflate*", COMPRESSION},
	{"Brotli*", COMPRESSION},
	{"Order", ACCESS},
	{"Allow", ACCESS},
	{"Deny", ACCESS},
	{"Satisfy", ACCESS},
	{"Auth*", ACCESS},
	{"Redirect", REDIRECTION},
	{"RedirectMatch", REDIRECTION},
	{"RedirectPermanent", REDIRECTION},
	{"RedirectTemp", REDIRECTION},
	{"SetEnvIf", ENVIRONMENT},
	{"SetEnvIfNoCase", ENVIRONMENT},
	{"BrowserMatch", ENVIRONMENT},
	{"BrowserMatchNoCase", ENVIRONMENT},
	{"UnsetEnv", ENVIRONMENT},
	{"UseCanonicalName", HOST},
	{"UseCanonicalPhysicalPort", HOST},
	{"NameVirtualHost", HOST},
	{"ServerPath", HOST},
	{"ServerSignature",
		"write ServerTokens for what Server says, or leave it out"},
	{"TraceEnable",
		"methods are the business of the application or a proxy"},
	{"AcceptPathInfo", "the application gets the whole path; leave it out"},
	{"ExtendedStatus", METRICS},
	{"HttpProtocolOptions",
		"requests are always read strictly; leave it out"},
	{"Protocols", "wsgid speaks HTTP/1.1; let a proxy speak HTTP/2"},
	{"ProtocolsHonorOrder",
		"wsgid speaks HTTP/1.1; let a proxy speak HTTP/2"},
	{"H2*", "wsgid speaks HTTP/1.1; let a proxy speak HTTP/2"},
	{"RLimit*", LIMITS},
	{"ErrorLogFormat", LOGGING},
	{"GlobalLog", "write CustomLog"},
	{"CookieLog", "write CustomLog"},
	{"ForensicLog", "write CustomLog"},
	{"LoadFile", "wsgid has no modules; leave it out"},
	{"Cache*", "caching is the business of the application or a proxy"},
	{"ProxyTimeout", "wsgid is no proxy"},
	{"ProxyAddHeaders", "wsgid is no proxy"},
	{"ProxyErrorOverride", "wsgid is no proxy"},
	{"RemoteIPProxiesHeader",
		"write TrustedProxyHeaders, and TrustedProxies"},
	{"RemoteIPTrustedProxyList", "write TrustedProxies"},
	{"RemoteIPInternalProxyList", "write TrustedProxies"},
	{"RemoteIPProxyProtocolExceptions", "write ProxyProtocol Optional"},
	/* gunicorn's and uWSGI's. */
	{"bind", "write Listen"},
	{"backlog", "write ListenBacklog"},
	{"workers", "write Processes"},
	{"threads", "write ThreadsPerChild"},
	{"-k", WORKERS},
	{"worker_class", WORKERS},
	{"graceful_timeout", "write GracefulShutdownTimeout"},
	{"accesslog", "write CustomLog"},
	{"access-logfile", "write CustomLog"},
	{"error-logfile", "write ErrorLog"},
	{"pid", "write PidFile"},
	{"-p", "write PidFile, or for a port Listen"},
	{"env", ENVIRONMENT},
	{"raw_env", ENVIRONMENT},
	{"umask", UMASK},
	{"capture_output", "what the application prints always goes to the "
			   "error log; leave it out"},
	{"certfile", TLS},
	{"keyfile", TLS},
	{"forwarded_allow_ips", "write TrustedProxies"},
	{"proxy_allow_ips", "write TrustedProxies"},
	{"proxy-allow-from", "write TrustedProxies"},
	{"proxy_protocol", "write ProxyProtocol, and TrustedProxies"},
	{"max_requests", "write MaxRequests"},
	{"max_requests_jitter", "write MaxRequestsJitter"},
	{"maximum-requests", "write MaxRequests"},
	{"max-requests-delta", "write MaxRequestsJitter"},
	{"restart-interval", "write RestartInterval"},
	{"max-worker-lifetime", "write RestartInterval"},
	{"reload-on-rss", "write MaxMemoryPerChild, which counts what a child "
			  "shares with nobody"},
	{"reload-on-uss", "write MaxMemoryPerChild"},
	{"master", "there always is one; leave it out"},
	{"http", "write Listen"},
	{"http-socket", "write Listen"},
	{"socket", "write Listen; wsgid speaks HTTP, not the uwsgi protocol"},
	{"wsgi-file", "write WSGIApplication"},
	{"module", "write WSGIApplication"},
	{"virtualenv", "write WSGIPythonHome"},
	{"venv", "write WSGIPythonHome"},
	{"python-path", "write WSGIPythonPath"},
	{"uid", "write User"},
	{"gid", "write Group"},
	/* gunicorn's alone. */
	{"worker_connections",
		"a worker serves one request at a time; write "
		"ThreadsPerChild, or leave it out"},
	{"preload_app", "write WSGIPreloadApplication"},
	{"wsgi_app", "write WSGIApplication"},
	{"log-file", "write ErrorLog"},
	{"access_log_format", "write LogFormat, with Apache's items"},
	{"access-logformat", "write LogFormat, with Apache's items"},
	{"disable_redirect_access_to_syslog",
		"let the service manager pass standard output on"},
	{"syslog*",
		"let the service manager pass standard error on, or write "
		"ErrorLog journald"},
	{"log-syslog*",
		"let the service manager pass standard error on, or write "
		"ErrorLog journald"},
	{"logger_class", LOGGING},
	{"logconfig*", LOGGING},
	{"log-config*", LOGGING},
	{"statsd*", METRICS},
	{"dogstatsd_tags", METRICS},
	{"daemon",
		"\"wsgid --daemon\" and \"wsgictl start\" put it in the "
		"background"},
	{"proc_name", NAME},
	{"name", NAME},
	{"-n", NAME},
	{"-u", "write User"},
	{"-g", "write Group"},
	{"-m", UMASK},
	{"-R", INHERITED},
	{"pythonpath", "write WSGIPythonPath"},
	{"check_config",
		"\"wsgid -t\" tests the configuration, \"wsgid --check\" the "
		"application"},
	{"print_config", "\"wsgid -L\" lists the directives"},
	{"reload_engine", "WSGIReload sees changes by itself; leave it out"},
	{"reload_extra_file*", WATCHED},
	{"reuse_port", "write ListenCoresBucketsRatio"},
	{"sendfile", "wsgi.file_wrapper is always there; leave it out"},
	{"no-sendfile", "wsgi.file_wrapper is always there; leave it out"},
	{"worker_tmp_dir", "children are watched without a file; leave it out"},
	{"tmp_upload_dir", "temporary files are in TMPDIR; leave it out"},
	{"initgroups", "a user's other groups are always his; leave it out"},
	{"enable_stdio_inheritance", INHERITED},
	{"secure_scheme_headers", "write TrustedProxyHeaders"},
	{"forwarder_headers", "write TrustedProxyHeaders"},
	{"paste", "name a module with WSGIApplication that has application = "
		  "paste.deploy.loadapp('config:/...')"},
	{"paste-global", "give paste.deploy.loadapp() a global_conf, in the "
			 "module that WSGIApplication names"},
	{"ca_certs", TLS},
	{"ciphers", TLS},
	{"cert_reqs", TLS},
	{"ssl_version", TLS},
	{"do_handshake_on_connect", TLS},
	{"on_starting", HOOKS},
	{"on_reload", HOOKS},
	{"on_exit", HOOKS},
	{"when_ready", HOOKS},
	{"pre_fork", HOOKS},
	{"post_fork", HOOKS},
	{"post_worker_init", HOOKS},
	{"worker_exit", HOOKS},
	{"worker_int", HOOKS},
	{"worker_abort", HOOKS},
	{"child_exit", HOOKS},
	{"pre_exec", HOOKS},
	{"pre_request", HOOKS},
	{"post_request", HOOKS},
	{"nworkers_changed", HOOKS},
	/* uWSGI's alone. */
	{"http11-socket", "write Listen"},
	{"uwsgi-socket", KINDS_OF_SOCKET},
	{"fastcgi-socket", KINDS_OF_SOCKET},
	{"scgi-socket", KINDS_OF_SOCKET},
	{"https", TLS},
	{"https-socket", TLS},
	{"chmod-socket", "write mode= behind Listen unix:PATH"},
	{"chown-socket", "write owner= and group= behind Listen unix:PATH"},
	{"callable", "write WSGICallableObject"},
	{"wsgi", "write WSGIApplication"},
	{"mount", "write MountPoint"},
	{"manage-script-name", "write MountPoint"},
	{"home", "write WSGIPythonHome"},
	{"pyhome", "write WSGIPythonHome"},
	{"-H", "write WSGIPythonHome"},
	{"pp", "write WSGIPythonPath"},
	{"optimize", "write WSGIPythonOptimize"},
	{"ini", "name a configuration of wsgid's own with -c"},
	{"yaml", "name a configuration of wsgid's own with -c"},
	{"plugin", "wsgid has no plugins; leave it out"},
	{"plugins", "wsgid has no plugins; leave it out"},
	{"enable-threads",
		"threads of the application always run; leave it out"},
	{"single-interpreter",
		"every child runs the main interpreter; leave it out"},
	{"thunder-lock", "use Mutex, or leave it out"},
	{"lazy",
		"each child imports the application unless "
		"WSGIPreloadApplication is On; leave it out"},
	{"lazy-apps",
		"each child imports the application unless "
		"WSGIPreloadApplication is On; leave it out"},
	{"need-app",
		"an application that cannot be imported is always an error; "
		"leave it out"},
	{"strict", "an unknown directive is always an error; leave it out"},
	{"vacuum",
		"sockets and pid file are always removed at the end; leave "
		"it out"},
	{"die-on-term", "SIGTERM always stops wsgid; leave it out"},
	{"no-orphans",
		"children always end when the master does; leave it out"},
	{"harakiri", "write RequestTimeout"},
	{"harakiri-verbose",
		"RequestTimeout always says where the request was; leave it "
		"out"},
	{"http-timeout", "write Timeout"},
	{"socket-timeout", "write Timeout"},
	{"http-keepalive", "write KeepAlive"},
	{"so-keepalive", "write KeepAlive"},
	{"buffer-size", "write LimitRequestFieldSize"},
	{"post-buffering", "write RequestBodyBuffer"},
	{"limit-post", "write LimitRequestBody"},
	{"cheaper", SPARE},
	{"cheaper-step", SPARE},
	{"cheaper-algo", SPARE},
	{"cheaper-initial", "write StartServers"},
	{"idle", "write IdleExit"},
	{"die-on-idle", "write IdleExit"},
	{"reload-mercy", "write WorkerDrainTimeout"},
	{"worker-reload-mercy", "write WorkerDrainTimeout"},
	{"touch-reload", "run \"wsgictl reload\", or write WSGIReload"},
	{"py-autoreload", "write WSGIReload"},
	{"python-autoreload", "write WSGIReload"},
	{"master-fifo", "use wsgictl"},
	{"safe-pidfile", "write PidFile"},
	{"daemonize",
		"write ErrorLog; \"wsgid --daemon\" and \"wsgictl start\" "
		"put it in the background"},
	{"logto", "write ErrorLog, and CustomLog"},
	{"logger", "write ErrorLog"},
	{"req-logger", "write CustomLog"},
	{"disable-logging",
		"without CustomLog there is no access log; leave it out"},
	{"log-x-forwarded-for", "write TrustedProxies"},
	{"memory-report", METRICS},
	{"stats", METRICS},
	{"stats-server", METRICS},
	{"carbon", METRICS},
	{"auto-procname", NAME},
	{"procname", NAME},
	{"procname-prefix", NAME},
	{"static-map", FILES},
	{"static-map2", FILES},
	{"check-static", FILES},
	{"static-index", FILES},
	{"static-expires*", FILES},
	{"offload-threads", FILES},
	{"route*",
		"wsgid rewrites no URLs; let the application or a proxy do "
		"it"},
	{"cron", SUPERVISOR},
	{"mule", SUPERVISOR},
	{"mules", SUPERVISOR},
	{"spooler", SUPERVISOR},
	{"attach-daemon*", SUPERVISOR},
	{"smart-attach-daemon*", SUPERVISOR},
	{"emperor",
		"write a configuration for each and start it as systemd's "
		"wsgid@NAME"},
	{"gevent", WORKERS},
	{"asyncio", WORKERS},
	{"async", WORKERS},
	{"ugreen", WORKERS},
	{"cpu-affinity",
		"set it where wsgid is started (systemd: CPUAffinity=)"},
	{"limit-as", LIMITS},
	{"max-fd", LIMITS},
	{"rlimit-*", LIMITS},
	{"hook-*", HOOKS},
	{"exec-*", HOOKS},
	/* Options of httpd's; of gunicorn's as well, in what they say. */
	{"-X", "write Processes 1, which is -w 1 as an option, and \"wsgid\" "
	       "stays in the foreground by itself"},
	{"-S", "there are no virtual hosts to show; \"wsgid -t\" tests the "
	       "configuration"},
	{"-M", "wsgid has no modules to show; \"wsgid -V\" tells how it was "
	       "built"},
	{"-l", "wsgid has no modules to show; \"wsgid -V\" tells how it was "
	       "built"},
	{"-d", "relative paths begin at the directory of the configuration "
	       "file; what the application runs in is ChDir"},
	{"-e", "write LogLevel where it is a level, or " ENVIRONMENT},
	{"-E", "write ErrorLog"},
	/* mod_wsgi-express's. */
	{"host", ADDRESS},
	{"port", ADDRESS},
	{"working-directory", "write ChDir"},
	{"log-to-terminal",
		"without ErrorLog the log is on the terminal; leave it out"},
	{"log-directory", "write ErrorLog, and CustomLog"},
	{"reload-on-changes", "write WSGIReload"},
	{"entry-point", "write WSGIApplication"},
	{"application-type", "WSGIApplication is package.module:name, or the "
			     "path of a script; leave it out"},
	{"url-alias", FILES},
	{"setup-only",
		"there is nothing to be made first: write a configuration and "
		"name it with -c"},
	{"shutdown-timeout", "write GracefulShutdownTimeout"},
	{"inactivity-timeout",
		"processes have no inactivity-timeout; leave it out"},
	{"server-root", "write RunDirectory for the files of wsgid's own"},
	{"document-root", FILES},
	{"server-name", HOST},
	{"server-alias", HOST},
	{"trust-proxy", "write TrustedProxies"},
	{"trust-proxy-header", "write TrustedProxyHeaders, and TrustedProxies"},
	{"initial-workers", "write StartServers"},
	{"minimum-spare-workers", SPARE},
	{"maximum-spare-workers", SPARE},
	/* flask's, uvicorn's and waitress-serve's. */
	{"app", "write WSGIApplication, or the application without an option"},
	{"debug", "write WSGIReload On for development"},
	{"app-dir", "write ChDir, or WSGIPythonPath"},
	{"env-file", "write EnvironmentFile"},
	{"factory", MADE},
	{"call", MADE},
	{"uds", "write Listen unix:PATH"},
	{"unix-socket", "write Listen unix:PATH"},
	{"root-path", "write MountPoint"},
	{"url-prefix", "write MountPoint"},
	{"proxy-headers", "write TrustedProxies"},
	{"trusted-proxy", "write TrustedProxies"},
	{"reload-dir", WATCHED},
	{"no-access-log",
		"without CustomLog there is no access log; leave it out"},
	{"timeout-keep-alive", "write KeepAliveTimeout"},
	{"limit-concurrency", "write MaxRequestWorkers"},
	{"limit-max-requests", "write MaxRequests"},
	{"max-request-body-size", "write LimitRequestBody"},
	{"channel-timeout", "write Timeout, and KeepAliveTimeout"},
};

#define WSGICTL(verb) "\"wsgictl " verb "\" does that"
#define STARTS        "wsgid serves without a verb; leave it out"

/* What others are told to do by a word, as in "httpd -k stop". */
static const struct foreign verbs[] = {
	{"start", WSGICTL("start")},
	{"stop", WSGICTL("stop")},
	{"restart", WSGICTL("restart")},
	{"graceful", WSGICTL("reload")},
	{"reload", WSGICTL("reload")},
	{"graceful-stop", WSGICTL("graceful-stop")},
	{"status", WSGICTL("status")},
	{"fullstatus", WSGICTL("fullstatus")},
	{"configtest", "\"wsgid -t\" does that"},
	{"start-server", STARTS},
	{"run", STARTS},
};

/* As an option has it: worker-class for worker_class. */
static bool
is_the_same(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char x = a[i] == '_' ? '-' : a[i];
		char y = b[i] == '_' ? '-' : b[i];

		if (tolower((unsigned char)x) != tolower((unsigned char)y))
			return false;
		if (x == '\0')
			return true;
	}
	return true;
}

static bool
is_called(const struct foreign *f, const char *name)
{
	size_t len = strlen(f->name);

	if (f->name[0] == '-') /* -m is not -M */
		return strcmp(f->name, name) == 0;
	if (f->name[len - 1] == '*')
		return is_the_same(f->name, name, len - 1);
	return is_the_same(f->name, name, len + 1);
}

const char *
directive_foreign(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(foreigners); i++)
		if (is_called(&foreigners[i], name))
			return foreigners[i].advice;
	return NULL;
}

const char *
directive_foreign_verb(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, word) == 0)
			return verbs[i].advice;
	return NULL;
}

/* uWSGI has one for each option, and sets two itself. */
static const char *
foreign_uwsgi(const char *option)
{
	const char *advice;

	if (strcmp(option, "ORIGINAL_PROC_NAME") == 0 ||
		strcmp(option, "RELOADS") == 0)
		return NULL;
	advice = directive_foreign(option);
	return advice != NULL ? advice
			      : "\"wsgid -L\" lists the variables that are";
}

const char *
directive_foreign_environment(const char *name)
{
	static const char uwsgi[] = "UWSGI_";

	if (strcmp(name, "FORWARDED_ALLOW_IPS") == 0)
		return "write TrustedProxies, or set WSGID_TRUSTED_PROXIES";
	if (strcmp(name, "SCRIPT_NAME") == 0)
		return "write MountPoint, or set WSGID_MOUNT_POINT";
	if (strcmp(name, "GUNICORN_CMD_ARGS") == 0)
		return "write the directives, or set their WSGID_ variables; "
		       "\"wsgid -L\" lists them";
	if (strncmp(name, uwsgi, sizeof(uwsgi) - 1) == 0)
		return foreign_uwsgi(name + sizeof(uwsgi) - 1);
	return NULL;
}
