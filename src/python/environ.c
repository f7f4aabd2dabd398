/*
 * environ.c - the environ dictionary of a request.
 *
 * What is the same for all requests stands in one dictionary; a connection
 * has a copy of it with its addresses, and a request a copy of that, which is
 * the application's to change.  Keys are made once, and header names that are
 * common are found by a hash, so that a usual request makes no key at all.
 *
 * Text is latin-1, byte for byte, as PEP 3333 wants it.
 */
#include "python/python_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/path.h"

enum key {
	REQUEST_METHOD,
	SCRIPT_NAME,
	PATH_INFO,
	QUERY_STRING,
	REQUEST_URI,
	RAW_URI,
	SERVER_PROTOCOL,
	SERVER_NAME,
	SERVER_PORT,
	SERVER_ADDR,
	SERVER_SOFTWARE,
	REMOTE_ADDR,
	REMOTE_PORT,
	REQUEST_SCHEME,
	UNIQUE_ID,
	CONTENT_TYPE,
	CONTENT_LENGTH,
	HTTP_HOST,
	HTTP_COOKIE,
	WSGI_VERSION,
	WSGI_URL_SCHEME,
	WSGI_INPUT,
	WSGI_INPUT_TERMINATED,
	WSGI_ERRORS,
	WSGI_EARLY_HINTS,
	WSGI_FILE_WRAPPER,
	WSGI_MULTITHREAD,
	WSGI_MULTIPROCESS,
	WSGI_RUN_ONCE,
	WSGID_VERSION,
	KEYS,
};

static const char *const key_names[KEYS] = {
	[REQUEST_METHOD] = "REQUEST_METHOD",
	[SCRIPT_NAME] = "SCRIPT_NAME",
	[PATH_INFO] = "PATH_INFO",
	[QUERY_STRING] = "QUERY_STRING",
	[REQUEST_URI] = "REQUEST_URI",
	[RAW_URI] = "RAW_URI",
	[SERVER_PROTOCOL] = "SERVER_PROTOCOL",
	[SERVER_NAME] = "SERVER_NAME",
	[SERVER_PORT] = "SERVER_PORT",
	[SERVER_ADDR] = "SERVER_ADDR",
	[SERVER_SOFTWARE] = "SERVER_SOFTWARE",
	[REMOTE_ADDR] = "REMOTE_ADDR",
	[REMOTE_PORT] = "REMOTE_PORT",
	[REQUEST_SCHEME] = "REQUEST_SCHEME",
	[UNIQUE_ID] = "UNIQUE_ID",
	[CONTENT_TYPE] = "CONTENT_TYPE",
	[CONTENT_LENGTH] = "CONTENT_LENGTH",
	[HTTP_HOST] = "HTTP_HOST",
	[HTTP_COOKIE] = "HTTP_COOKIE",
	[WSGI_VERSION] = "wsgi.version",
	[WSGI_URL_SCHEME] = "wsgi.url_scheme",
	[WSGI_INPUT] = "wsgi.input",
	[WSGI_INPUT_TERMINATED] = "wsgi.input_terminated",
	[WSGI_ERRORS] = "wsgi.errors",
	[WSGI_EARLY_HINTS] = "wsgi.early_hints",
	[WSGI_FILE_WRAPPER] = "wsgi.file_wrapper",
	[WSGI_MULTITHREAD] = "wsgi.multithread",
	[WSGI_MULTIPROCESS] = "wsgi.multiprocess",
	[WSGI_RUN_ONCE] = "wsgi.run_once",
	[WSGID_VERSION] = "wsgid.version",
};

/* Header names that are met often.  A missing one costs 100 ns. */
static const char *const common_headers[] = {"accept", "accept-charset",
	"accept-encoding", "accept-language", "authorization", "cache-control",
	"connection", "content-encoding", "content-length", "content-type",
	"cookie", "date", "dnt", "expect", "forwarded", "from", "host",
	"if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "keep-alive", "origin", "pragma", "priority",
	"range", "referer", "sec-ch-ua", "sec-ch-ua-mobile",
	"sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode",
	"sec-fetch-site", "sec-fetch-user", "te", "transfer-encoding",
	"upgrade-insecure-requests", "user-agent", "via", "x-csrftoken",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
	"x-forwarded-proto", "x-real-ip", "x-request-id", "x-requested-with"};

static const char *const common_methods[] = {
	"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};

enum { SLOTS = 256 };

struct slot {
	struct str name; /* in small letters */
	PyObject *key;
};

struct environ {
	PyObject *keys[KEYS];
	PyObject *methods[ARRAY_LEN(common_methods)];
	PyObject *protocol_1_0, *http, *https;
	PyObject *mount; /* SCRIPT_NAME, where no proxy cuts anything off */
	PyObject *same;  /* for all requests of the process */
	struct slot slots[SLOTS];
};

/* --- header names ---------------------------------------------------------------- */

static unsigned
hash(struct str name)
{
	unsigned first = (unsigned char)name.p[0] | 0x20;
	unsigned middle = (unsigned char)name.p[name.len / 2] | 0x20;
	unsigned last = (unsigned char)name.p[name.len - 1] | 0x20;

	return ((unsigned)name.len * 31 + first + middle * 5 + last * 3) %
	       SLOTS;
}

/* Names are tokens, in which this folds letters and changes nothing that a
 * known name consists of. */
static bool
is_name(struct str name, struct str small)
{
	if (name.len != small.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((name.p[i] | 0x20) != small.p[i])
			return false;
	return true;
}

static PyObject *
known_key(struct environ *e, struct str name)
{
	for (unsigned i = hash(name);; i = (i + 1) % SLOTS) {
		struct slot *slot = &e->slots[i];

		if (slot->key == NULL)
			return NULL;
		if (is_name(name, slot->name))
			return slot->key;
	}
}

enum { LONGEST_KEY = 1024 };

static const char prefix[] = "HTTP_";

/* The key of a header, a new reference.  NULL without an exception for a
 * name that has no key: with anything but letters, digits and "-" two names
 * would have the same (X_Forwarded_For poses as X-Forwarded-For), and
 * "Proxy" would become HTTP_PROXY, which HTTP clients obey. */
static PyObject *
make_key(struct str name)
{
	char key[LONGEST_KEY];
	size_t at = sizeof(prefix) - 1;

	if (is_name(name, STR("proxy")) || name.len > sizeof(key) - at)
		return NULL;
	memcpy(key, prefix, at);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (c == '-')
			key[at + i] = '_';
		else if (isalnum((unsigned char)c))
			key[at + i] = (char)toupper((unsigned char)c);
		else
			return NULL;
	}
	return PyUnicode_DecodeLatin1(key, (Py_ssize_t)(at + name.len), NULL);
}

static PyObject *
key_of(struct environ *e, struct str name)
{
	PyObject *key = known_key(e, name);

	Py_XINCREF(key);
	return key != NULL ? key : make_key(name);
}

/* --- values ---------------------------------------------------------------------- */

static PyObject *
text(struct str s)
{
	return PyUnicode_DecodeLatin1(
		s.p != NULL ? s.p : "", (Py_ssize_t)s.len, NULL);
}

static int
set(PyObject *d, PyObject *key, PyObject *value)
{
	return PyDict_SetItem(d, key, value);
}

/* Put value, a new reference that is taken; NULL is an exception. */
static int
put(PyObject *d, PyObject *key, PyObject *value)
{
	int rc = value == NULL ? -1 : PyDict_SetItem(d, key, value);

	Py_XDECREF(value);
	return rc;
}

/* Where the name ends in "name:port". */
static size_t
name_len(struct str host)
{
	const char *end = NULL;

	if (host.len > 0 && host.p[0] == '[')
		end = memchr(host.p, ']', host.len);
	if (end != NULL)
		return (size_t)(end - host.p) + 1;
	end = memchr(host.p, ':', host.len);
	return end != NULL ? (size_t)(end - host.p) : host.len;
}

/* --- the request's part ------------------------------------------------------------ */

/* A second header of the same name: one value, joined. */
static int
join(struct environ *e, PyObject *d, PyObject *key, PyObject *more)
{
	const char *with = key == e->keys[HTTP_COOKIE] ? "%U; %U" : "%U, %U";
	PyObject *first = PyDict_GetItemWithError(d, key);

	if (first == NULL)
		return -1;
	return put(d, key, PyUnicode_FromFormat(with, first, more));
}

static int
add_header(struct environ *e, PyObject *d, const struct request *r,
	const struct request_field *field)
{
	AUTO_DECREF PyObject *key = key_of(e, field->name);
	AUTO_DECREF PyObject *value = NULL;
	Py_ssize_t before;

	if (key == NULL)
		return PyErr_Occurred() ? -1 : 0;
	if (key == e->keys[HTTP_HOST])
		return 0;                   /* add_host */
	if (key == e->keys[CONTENT_LENGTH]) /* once, where it is "5, 5" */
		return put(d, key, text(r->length_text));
	value = text(field->value);
	before = PyDict_Size(d);
	if (value == NULL || PyDict_SetDefault(d, key, value) == NULL)
		return -1;
	if (UNLIKELY(PyDict_Size(d) == before))
		return join(e, d, key, value);
	return 0;
}

/* The host of an absolute target takes the place of the Host header
 * (RFC 9112 section 3.2.2), so it is request.c that says what it is. */
static int
add_host(struct environ *e, PyObject *d, const struct request *r)
{
	AUTO_DECREF PyObject *host = NULL;
	size_t len;

	if (r->host.len == 0)
		return 0;
	host = text(r->host);
	if (host == NULL || set(d, e->keys[HTTP_HOST], host) < 0)
		return -1;
	len = name_len(r->host);
	if (len == r->host.len)
		return set(d, e->keys[SERVER_NAME], host);
	if (len == 0)
		return 0;
	return put(d, e->keys[SERVER_NAME], text((struct str){r->host.p, len}));
}

static int
add_method(struct environ *e, PyObject *d, struct str method)
{
	for (size_t i = 0; i < ARRAY_LEN(common_methods); i++) {
		if (!str_equal(method, str_of(common_methods[i])))
			continue;
		/* The first stands there already. */
		return i == 0 ? 0
			      : set(d, e->keys[REQUEST_METHOD], e->methods[i]);
	}
	return put(d, e->keys[REQUEST_METHOD], text(method));
}

static int
add_target(struct environ *e, PyObject *d, const struct app_exchange *x)
{
	const struct request *r = x->request;
	AUTO_DECREF PyObject *target = text(r->target);

	if (target == NULL || set(d, e->keys[REQUEST_URI], target) < 0 ||
		set(d, e->keys[RAW_URI], target) < 0)
		return -1;
	if (r->query.len > 0 &&
		put(d, e->keys[QUERY_STRING], text(r->query)) < 0)
		return -1;
	if (str_equal(x->path, r->target))
		return set(d, e->keys[PATH_INFO], target);
	return put(d, e->keys[PATH_INFO], text(x->path));
}

static int
add_request(struct environ *e, PyObject *d, struct app_exchange *x)
{
	const struct request *r = x->request;
	const struct request_field *end = r->fields + r->n_fields;

	if (add_method(e, d, r->method) < 0 || add_target(e, d, x) < 0)
		return -1;
	if (r->minor == 0 &&
		set(d, e->keys[SERVER_PROTOCOL], e->protocol_1_0) < 0)
		return -1;
	for (const struct request_field *f = r->fields; f < end; f++)
		if (UNLIKELY(!forwarded_shows(x->forwarded, f->name)))
			x->hidden |= forwarded_field(f->name);
		else if (add_header(e, d, r, f) < 0)
			return -1;
	return add_host(e, d, r);
}

/* --- what trusted proxies say ------------------------------------------------------- */

static int
put_host(struct environ *e, PyObject *d, struct str host)
{
	if (put(d, e->keys[HTTP_HOST], text(host)) < 0)
		return -1;
	return put(d, e->keys[SERVER_NAME],
		text((struct str){host.p, name_len(host)}));
}

static int
put_scheme(struct environ *e, PyObject *d, struct str scheme)
{
	PyObject *value = str_equal(scheme, STR("https")) ? e->https : e->http;

	if (set(d, e->keys[REQUEST_SCHEME], value) < 0)
		return -1;
	return set(d, e->keys[WSGI_URL_SCHEME], value);
}

/* The port of a client is told by few: "0" is what Apache and nginx say then. */
static int
put_client(struct environ *e, PyObject *d, const struct forwarded *f)
{
	struct str port = f->client_port.len > 0 ? f->client_port : STR("0");
	char addr[IP_TEXT];
	size_t len = ip_format(&f->client, addr);

	if (put(d, e->keys[REMOTE_ADDR], text((struct str){addr, len})) < 0)
		return -1;
	return put(d, e->keys[REMOTE_PORT], text(port));
}

static int
put_prefix(struct environ *e, PyObject *d, struct str cut_off)
{
	AUTO_DECREF PyObject *before = NULL;
	static const struct path_rules rules = {.slashes = PATH_SLASHES_DECODE};
	char path[FORWARDED_PREFIX_MAX];
	const char *why;
	ssize_t len = path_resolve(cut_off, &rules, path, &why);

	if (len < 0)
		return 0;
	before = text((struct str){path, (size_t)len});
	if (before == NULL)
		return -1;
	return put(d, e->keys[SCRIPT_NAME], PyUnicode_Concat(before, e->mount));
}

/* In place of what the connection and Host say. */
static int
add_forwarded(struct environ *e, PyObject *d, const struct forwarded *f)
{
	if (f->has_client && put_client(e, d, f) < 0)
		return -1;
	if (f->scheme.p != NULL && put_scheme(e, d, f->scheme) < 0)
		return -1;
	if (f->host.p != NULL && put_host(e, d, f->host) < 0)
		return -1;
	if (f->server_port.p != NULL &&
		put(d, e->keys[SERVER_PORT], text(f->server_port)) < 0)
		return -1;
	if (f->prefix.p == NULL)
		return 0;
	return put_prefix(e, d, f->prefix);
}

/* --- the connection's part --------------------------------------------------------- */

/* A unix: socket has no port, but PEP 3333 wants one: the scheme's. */
static struct str
port_of(const struct app_peer *peer)
{
	if (peer->server_port.len > 0)
		return peer->server_port;
	return str_equal(peer->scheme, STR("https")) ? STR("443") : STR("80");
}

static int
add_peer(struct environ *e, PyObject *d, const struct app_peer *peer)
{
	AUTO_DECREF PyObject *addr = text(peer->server_addr);

	if (addr == NULL || set(d, e->keys[SERVER_ADDR], addr) < 0 ||
		put_scheme(e, d, peer->scheme) < 0 ||
		put(d, e->keys[REMOTE_ADDR], text(peer->remote_addr)) < 0 ||
		put(d, e->keys[REMOTE_PORT], text(peer->remote_port)) < 0)
		return -1;
	/* A unix: socket's is localhost, as for all until then. */
	if (peer->server_addr.len > 0 &&
		set(d, e->keys[SERVER_NAME], addr) < 0)
		return -1;
	return put(d, e->keys[SERVER_PORT], text(port_of(peer)));
}

static PyObject *
make_for_peer(struct environ *e, const struct app_peer *peer)
{
	PyObject *d = PyDict_Copy(e->same);

	if (d != NULL && add_peer(e, d, peer) < 0)
		Py_CLEAR(d);
	return d;
}

/* A dictionary with the connection's part, to be changed.  Who asks again is
 * likely to go on, and it is kept for him; most that wait have asked once. */
static PyObject *
begin(struct environ *e, struct app_peer *peer, bool keep)
{
	bool again = peer->asks_again;

	peer->asks_again = true;
	if (peer->private == NULL && !(again && keep))
		return make_for_peer(e, peer);
	if (peer->private == NULL)
		peer->private = make_for_peer(e, peer);
	return peer->private != NULL ? PyDict_Copy(peer->private) : NULL;
}

PyObject *
environ_make(struct call *c, PyObject *input)
{
	struct environ *e = c->app->environ;
	struct app_exchange *x = c->x;
	const struct forwarded *f = x->forwarded;
	PyObject *d = begin(e, x->peer, x->request->keep_alive);

	if (d == NULL)
		return NULL;
	if (add_request(e, d, x) < 0 ||
		(f != NULL && add_forwarded(e, d, f) < 0) ||
		set(d, e->keys[WSGI_INPUT], input) < 0 ||
		set(d, e->keys[WSGI_ERRORS], (PyObject *)c->errors) < 0 ||
		set(d, e->keys[WSGI_EARLY_HINTS], (PyObject *)c->early_hints) <
			0)
		goto fail;
	if (x->unique_id.len > 0 &&
		put(d, e->keys[UNIQUE_ID], text(x->unique_id)) < 0)
		goto fail;
	return d;

fail:
	Py_DECREF(d);
	return NULL;
}

/* --- what is the same for all ------------------------------------------------------- */

static int
put_text(struct environ *e, enum key key, const char *value)
{
	return put(e->same, e->keys[key], text(str_of(value)));
}

static int
put_bool(struct environ *e, enum key key, bool value)
{
	return set(e->same, e->keys[key], value ? Py_True : Py_False);
}

/* The version, as three numbers, from "wsgid/1.2.3". */
static int
put_version(struct environ *e, const char *software)
{
	const char *slash = software != NULL ? strchr(software, '/') : NULL;
	int major = 0, minor = 0, micro = 0;

	if (slash != NULL)
		(void)sscanf(slash, "/%4d.%4d.%4d", &major, &minor, &micro);
	return put(e->same, e->keys[WSGID_VERSION],
		Py_BuildValue("(iii)", major, minor, micro));
}

/* Keys that a request always replaces stand here too: replacing needs no new
 * room in a copy. */
static int
fill_same(struct app *app, const struct app_settings *settings)
{
	static const enum key empty[] = {PATH_INFO, QUERY_STRING, REQUEST_URI,
		RAW_URI, SERVER_PORT, SERVER_ADDR, REMOTE_ADDR, REMOTE_PORT,
		REQUEST_SCHEME, UNIQUE_ID, WSGI_URL_SCHEME};
	struct environ *e = app->environ;
	PyObject *d = e->same;
	const char *software = settings->software;

	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		if (put_text(e, empty[i], "") < 0)
			return -1;
	if (set(d, e->keys[SCRIPT_NAME], e->mount) < 0 ||
		set(d, e->keys[REQUEST_METHOD], e->methods[0]) < 0 ||
		put_text(e, SERVER_NAME, "localhost") < 0 ||
		put_text(e, SERVER_PROTOCOL, "HTTP/1.1") < 0 ||
		put_text(e, SERVER_SOFTWARE,
			software != NULL ? software : "wsgid") < 0 ||
		put_version(e, software) < 0 ||
		put(d, e->keys[WSGI_VERSION], Py_BuildValue("(ii)", 1, 0)) < 0)
		return -1;
	if (set(d, e->keys[WSGI_INPUT], Py_None) < 0 ||
		set(d, e->keys[WSGI_ERRORS], Py_None) < 0 ||
		set(d, e->keys[WSGI_EARLY_HINTS], Py_None) < 0 ||
		set(d, e->keys[WSGI_FILE_WRAPPER],
			(PyObject *)app->filewrapper_type) < 0)
		return -1;
	if (put_bool(e, WSGI_INPUT_TERMINATED, true) < 0 ||
		put_bool(e, WSGI_MULTITHREAD, settings->multithread) < 0 ||
		put_bool(e, WSGI_MULTIPROCESS, settings->multiprocess) < 0)
		return -1;
	return put_bool(e, WSGI_RUN_ONCE, false);
}

static PyObject *
key_for_header(struct environ *e, const char *name)
{
	PyObject *key;

	if (strcmp(name, "content-type") == 0) {
		key = e->keys[CONTENT_TYPE];
		Py_INCREF(key);
		return key;
	}
	if (strcmp(name, "content-length") == 0) {
		key = e->keys[CONTENT_LENGTH];
		Py_INCREF(key);
		return key;
	}
	key = make_key(str_of(name));
	if (key != NULL)
		PyUnicode_InternInPlace(&key); /* HTTP_HOST: the one of keys */
	return key;
}

static int
fill_slots(struct environ *e)
{
	for (size_t n = 0; n < ARRAY_LEN(common_headers); n++) {
		struct str name = str_of(common_headers[n]);
		unsigned i = hash(name);

		while (e->slots[i].key != NULL)
			i = (i + 1) % SLOTS;
		e->slots[i].name = name;
		e->slots[i].key = key_for_header(e, common_headers[n]);
		if (e->slots[i].key == NULL)
			return -1;
	}
	return 0;
}

static int
fill_names(struct environ *e)
{
	for (size_t i = 0; i < KEYS; i++) {
		e->keys[i] = PyUnicode_InternFromString(key_names[i]);
		if (e->keys[i] == NULL)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(common_methods); i++) {
		e->methods[i] = PyUnicode_InternFromString(common_methods[i]);
		if (e->methods[i] == NULL)
			return -1;
	}
	e->protocol_1_0 = PyUnicode_InternFromString("HTTP/1.0");
	e->http = PyUnicode_InternFromString("http");
	e->https = PyUnicode_InternFromString("https");
	return e->protocol_1_0 == NULL || e->http == NULL || e->https == NULL
		       ? -1
		       : 0;
}

int
environ_init(struct app *app, const struct app_settings *settings)
{
	struct environ *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	app->environ = e;
	e->same = PyDict_New();
	e->mount = text(str_of(settings->mount));
	if (e->same == NULL || e->mount == NULL || fill_names(e) < 0 ||
		fill_slots(e) < 0)
		return -1;
	return fill_same(app, settings);
}

void
environ_fini(struct app *app)
{
	struct environ *e = app->environ;

	if (e == NULL)
		return;
	for (size_t i = 0; i < KEYS; i++)
		Py_CLEAR(e->keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(common_methods); i++)
		Py_CLEAR(e->methods[i]);
	for (size_t i = 0; i < SLOTS; i++)
		Py_CLEAR(e->slots[i].key);
	Py_CLEAR(e->protocol_1_0);
	Py_CLEAR(e->http);
	Py_CLEAR(e->https);
	Py_CLEAR(e->mount);
	Py_CLEAR(e->same);
	free(e);
	app->environ = NULL;
}
