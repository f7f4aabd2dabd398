/*
 * warm_up.c - the requests of a process itself, before anybody's.  See
 * warm_up.h.
 *
 * A request is made of the same text as a client's and parsed as one; what is
 * answered goes nowhere.  There is no connection, so none of the limits on one
 * holds, and StartupTimeout is the one on all of it.
 */
#include "child/warm_up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "built_with.h"
#include "child/unique_id.h"
#include "config/config.h"
#include "http/path.h"
#include "http/request.h"
#include "http/response.h"
#include "python/app.h"

/* --- nobody, as a client ------------------------------------------------------ */

static ssize_t
read_nothing(struct app_exchange *x, void *data, size_t len)
{
	(void)x;
	(void)data;
	(void)len;
	return 0;
}

static int
drop(struct app_exchange *x, const void *data, size_t len, struct str tail)
{
	(void)data;
	(void)len;
	(void)tail;
	buf_clear(x->response->out);
	return 0;
}

static int
drop_held(struct app_exchange *x)
{
	buf_clear(x->response->out);
	return 0;
}

static int
drop_file(struct app_exchange *x, int fd, int64_t offset, uint64_t len)
{
	(void)offset;
	(void)len;
	buf_clear(x->response->out);
	close(fd);
	return 0;
}

static int
drop_interim(struct app_exchange *x, struct str head)
{
	(void)x;
	(void)head;
	return 0;
}

static void
add_nothing(struct app_exchange *x, bool whole)
{
	(void)x;
	(void)whole;
}

static const struct app_client nobody = {
	.read = read_nothing,
	.send = drop,
	.lend = drop,
	.reclaim = drop_held,
	.push = drop_held,
	.send_file = drop_file,
	.send_interim = drop_interim,
	.before_head = add_nothing,
};

/* --- one request ---------------------------------------------------------------- */

struct asked {
	struct app *app;
	const struct config *config;
	pid_t self;
	struct str text; /* of it, in the directive */
	struct config_url url;
	struct buf head, path, out;
	struct unique_id id;
	struct request request;
};

/* What follows is worth more than all of a long one. */
static int
shown(struct str text)
{
	enum { SHOWN = 100 };

	return text.len < SHOWN ? (int)text.len : SHOWN;
}

static int
refused(const struct asked *a, const char *why, struct err *err)
{
	return err_setx(err, EINVAL, "WSGIWarmUp %.*s: %s", shown(a->text),
		a->text.p, why);
}

static int
write_head(struct asked *a)
{
	struct str host = a->url.host.p != NULL ? a->url.host
						: STR("localhost");
	struct str target = a->url.target;

	return buf_printf(&a->head,
		"GET %s%.*s HTTP/1.1\r\n"
		"Host: %.*s\r\n"
		"User-Agent: wsgid/" WSGID_VERSION " (WSGIWarmUp)\r\n"
		"Accept: */*\r\n\r\n",
		target.len > 0 && target.p[0] == '/' ? "" : "/",
		(int)target.len, target.p, (int)host.len, host.p);
}

/* As one of a client. */
static int
read_back(struct asked *a, struct str *ret_path, struct err *err)
{
	const struct request_limits limits = {
		.line = a->head.len,
		.fields = REQUEST_FIELDS_MAX,
		.field_size = a->head.len,
	};
	const struct path_rules rules = {
		.slashes = (enum path_slashes)a->config->allow_encoded_slashes,
		.merge = a->config->merge_slashes,
		.mount = str_of(a->config->mount_point),
	};
	const char *why;

	if (request_parse(&a->request, a->head.data, a->head.len, &limits) <= 0)
		return refused(a, request_complaint(&a->request), err);
	if (path_find(a->request.path, &rules, &a->path, ret_path, &why) < 0)
		return refused(a, why, err);
	return 0;
}

static int
judge(const struct asked *a, const struct app_exchange *x, struct err *err)
{
	char why[200];

	if (x->failed)
		return refused(a,
			"the application has failed, as the lines before say",
			err);
	if (x->broken)
		return refused(a, "the response is not complete", err);
	if (x->status < 400)
		return 0;
	snprintf(why, sizeof(why), "the application answers %d%s", x->status,
		x->status == 400 && a->url.host.p == NULL
			? " to the host \"localhost\"; write the one that it "
			  "serves, as in http://www.example.com/"
			: "");
	return refused(a, why, err);
}

static bool
is_redirection(int status)
{
	return status >= 301 && status <= 308 && status != 304;
}

/* What is behind a redirection is not known any better than before. */
static void
say(const struct asked *a, int status, int64_t took_ns)
{
	log_info("child", "WSGIWarmUp %.*s: answered %d in %.1f ms%s",
		shown(a->text), a->text.p, status, (double)took_ns / 1e6,
		is_redirection(status)
			? ", which points to another place: is that the one "
			  "to be asked for?"
			: "");
}

static int
call(struct asked *a, struct str path, struct err *err)
{
	int64_t begin_ns = clock_monotonic_ns();
	struct app_peer peer = {
		.remote_addr = STR("127.0.0.1"),
		.remote_port = STR("0"),
		.server_addr = STR("127.0.0.1"),
		.server_port = a->url.port.p != NULL ? a->url.port : STR(""),
		.scheme = a->url.scheme,
	};
	struct response response = {.out = &a->out, .minor = 1};
	struct app_exchange x = {
		.request = &a->request,
		.path = path,
		.peer = &peer,
		.client = &nobody,
		.response = &response,
		.body = STR(""),
		.collected = true,
		.unique_id = unique_id_next(
			&a->id, (uint32_t)(clock_real_us() / 1000000)),
	};
	int rc;

	app_call(a->app, &x);
	if (getpid() != a->self)
		return -ECHILD;
	app_drop(a->app, x.held);
	app_forget_peer(a->app, &peer);
	rc = judge(a, &x, err);
	if (rc == 0)
		say(a, x.status, clock_monotonic_ns() - begin_ns);
	return rc;
}

static int
ask(struct asked *a, struct err *err)
{
	struct str path;
	int rc = config_read_url(&a->url, a->text, err);

	if (rc == 0)
		rc = write_head(a) < 0 ? err_set(err, ENOMEM, "WSGIWarmUp")
				       : read_back(a, &path, err);
	return rc == 0 ? call(a, path, err) : rc;
}

static void
asked_fini(struct asked *a)
{
	buf_fini(&a->head);
	buf_fini(&a->path);
	buf_fini(&a->out);
}

static int
ask_all(struct asked *a, struct str list, bool only, struct err *err)
{
	int rc = 0;

	while (list.p != NULL && rc == 0) {
		a->text = str_next_element(&list);
		rc = ask(a, err);
		asked_fini(a);
		if (rc == 0 || rc == -ECHILD || only)
			continue;
		log_warnx("child", "%s; serving all the same", err->text);
		rc = 0;
	}
	return rc;
}

int
warm_up(struct app *app, const struct config *config, bool only,
	struct err *err)
{
	struct asked *a;
	int rc;

	if (config->warm_up == NULL)
		return 0;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return err_set(err, ENOMEM, "WSGIWarmUp");
	a->app = app;
	a->config = config;
	a->self = getpid();
	unique_id_init(&a->id);
	rc = ask_all(a, str_of(config->warm_up), only, err);
	free(a);
	return rc;
}

void
warm_up_leave_out(const struct config *config)
{
	if (config->warm_up != NULL)
		log_warnx("child",
			"WSGIWarmUp is left out, as a process of the last five "
			"minutes has not become ready");
}
