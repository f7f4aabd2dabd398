/*
 * foreign.c - what to do without a directive that wsgid does not have.
 *
 * An administrator comes from somewhere: a name of Apache's, mod_wsgi's,
 * gunicorn's or uWSGI's gets the sentence that leads on, also as a variable of
 * the environment.
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

static const struct foreign foreigners[] = {
	/* mod_wsgi's. */
	{"WSGIScriptAlias", "wsgid serves one application at /; name it with "
			    "WSGIApplication"},
	{"WSGIScriptAliasMatch", "wsgid serves one application at /; name it "
				 "with WSGIApplication"},
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
	/* Apache's. */
	{"TransferLog", "write CustomLog, with the format common"},
	{"ServerRoot", "relative paths begin at the directory of the file "
		       "that they are written in"},
	{"ServerName", "the Host field of the request names the server; leave "
		       "it out"},
	{"ServerAlias", "the Host field of the request names the server; leave "
			"it out"},
	{"ServerAdmin", "leave it out"},
	{"DocumentRoot", "wsgid serves no files; let the application or a "
			 "proxy do it"},
	{"DirectoryIndex", "wsgid serves no files; let the application or a "
			   "proxy do it"},
	{"Alias", "wsgid serves no files; let the application or a proxy do "
		  "it"},
	{"ScriptAlias", "wsgid runs no CGI programs; leave it out"},
	{"LoadModule", "wsgid has no modules; leave it out"},
	{"LockFile", "wsgid needs no lock file; leave it out"},
	{"AcceptMutex", "use Mutex, or leave it out"},
	{"HostnameLookups", "names of clients are never looked up; leave it "
			    "out"},
	{"ErrorDocument", "error pages are the business of the application or "
			  "a proxy"},
	{"Header", "response headers are the business of the application or a "
		   "proxy"},
	{"RequestHeader", "request headers are the business of a proxy"},
	{"Require", "access control is the business of the application or a "
		    "proxy"},
	{"SetEnv", ENVIRONMENT},
	{"PassEnv", "the application sees wsgid's environment; leave it out"},
	{"SSL*", "wsgid speaks no TLS; let a proxy do it"},
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
	{"-p", "write PidFile"},
	{"-e", ENVIRONMENT},
	{"env", ENVIRONMENT},
	{"raw_env", ENVIRONMENT},
	{"umask", "set it where wsgid is started (systemd: UMask=)"},
	{"capture_output", "what the application prints always goes to the "
			   "error log; leave it out"},
	{"certfile", "wsgid speaks no TLS; let a proxy do it"},
	{"keyfile", "wsgid speaks no TLS; let a proxy do it"},
	{"forwarded_allow_ips", "write TrustedProxies"},
	{"proxy_allow_ips", "write TrustedProxies"},
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
	if (strcmp(name, "GUNICORN_CMD_ARGS") == 0)
		return "write the directives, or set their WSGID_ variables; "
		       "\"wsgid -L\" lists them";
	if (strncmp(name, uwsgi, sizeof(uwsgi) - 1) == 0)
		return foreign_uwsgi(name + sizeof(uwsgi) - 1);
	return NULL;
}
