/*
 * exchange.c - an application in a temporary file, and a played client.
 */
#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "built_with.h"
#include "http/path.h"
#include "python/python_priv.h"

static struct app *app;
static char directory[] = "/tmp/wsgid-python-XXXXXX";
static int n_applications;
static int captured = -1, kept_out = -1, kept_err = -1;

/* --- the interpreter ------------------------------------------------------------ */

int
exchange_set_up(void **state)
{
	struct app_settings settings = {
		.application = "unused:application",
		.executable = PYTHON_EXECUTABLE,
		.directory = directory,
		.software = "wsgid/1.2.3",
		.multiprocess = true,
	};
	struct err err = {0};

	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	if (app_create(&app, &settings, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

int
exchange_tear_down(void **state)
{
	char command[128];

	(void)state;
	app_destroy(app);
	app = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

struct app *
exchange_app(void)
{
	return app;
}

const char *
exchange_directory(void)
{
	return directory;
}

void
exchange_write(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

int
exchange_import(const char *application, struct err *err, struct buf *log)
{
	int rc;

	free(app->application);
	app->application = strdup(application);
	capture_begin();
	rc = app_import(app, err);
	capture_end(log);
	return rc;
}

void
exchange_use(const char *source)
{
	struct err err = {0};
	struct buf log = {0};
	char name[64];

	snprintf(name, sizeof(name), "./application_%d.wsgi", n_applications++);
	exchange_write(name, source);
	if (exchange_import(name, &err, &log) < 0)
		fail_msg("%s\n%s", err.text, buf_text(&log));
	buf_fini(&log);
}

void
run_python(const char *source)
{
	assert_int_equal(PyRun_SimpleString(source), 0);
}

/* --- what is written ---------------------------------------------------------------- */

void
capture_begin(void)
{
	assert_int_equal(captured, -1);
	fflush(NULL);
	captured = memfd_create("captured", MFD_CLOEXEC);
	fcntl(captured, F_SETFL, O_APPEND);
	kept_out = dup(1);
	kept_err = dup(2);
	dup2(captured, 1);
	dup2(captured, 2);
}

void
capture_end(struct buf *ret)
{
	char part[4096];
	ssize_t n;

	fflush(NULL);
	dup2(kept_out, 1);
	dup2(kept_err, 2);
	close(kept_out);
	close(kept_err);
	lseek(captured, 0, SEEK_SET);
	while ((n = read(captured, part, sizeof(part))) > 0)
		buf_add(ret, part, (size_t)n);
	close(captured);
	captured = -1;
}

/* --- the client ------------------------------------------------------------------------ */

static ssize_t
play_read(struct app_exchange *x, void *data, size_t len)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);
	const char *piece = ex->pieces != NULL ? *ex->pieces : NULL;
	size_t n;

	/* It is called without the GIL. */
	assert_int_equal(PyGILState_Check(), 0);
	if (len == 0) {
		ex->empty_reads++;
		return 0;
	}
	ex->reads++;
	if (piece == NULL)
		return ex->read_error;
	n = strlen(piece) < len ? strlen(piece) : len;
	memcpy(data, piece, n);
	if (piece[n] == '\0')
		ex->pieces++;
	else
		*ex->pieces += n;
	return (ssize_t)n;
}

/* They are what they were when they were lent. */
static void
take_lent(struct exchange *ex)
{
	for (unsigned i = 0; i < ex->n_lent; i++) {
		buf_add(&ex->sent, ex->lent[i].out, strlen(ex->lent[i].out));
		buf_add(&ex->sent, ex->lent[i].data, ex->lent[i].len);
		buf_add_str(&ex->sent, ex->lent[i].tail);
		free(ex->lent[i].out);
	}
	ex->n_lent = 0;
}

static int
play_send(struct app_exchange *x, const void *data, size_t len, struct str tail)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);

	assert_int_equal(PyGILState_Check(), 0);
	assert_true(ex->sends < EXCHANGE_SENDS);
	if (++ex->sends == ex->send_fails_at)
		return ex->send_error;
	take_lent(ex);
	buf_add(&ex->sent, ex->out.data, ex->out.len);
	buf_add(&ex->sent, data, len);
	buf_add_str(&ex->sent, tail);
	buf_clear(&ex->out);
	ex->sent_at[ex->sends - 1] = ex->sent.len;
	return 0;
}

static int
play_lend(struct app_exchange *x, const void *data, size_t len, struct str tail)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);

	if (ex->n_lent == ex->may_lend)
		return play_send(x, data, len, tail);
	assert_int_equal(PyGILState_Check(), 0);
	ex->lent[ex->n_lent++] = (struct lent){
		strndup(ex->out.data, ex->out.len), data, len, tail};
	buf_clear(&ex->out);
	return 1;
}

static int
play_reclaim(struct app_exchange *x)
{
	return play_send(x, NULL, 0, STR(""));
}

static void
add_held(struct buf *to, const struct app_exchange *x)
{
	buf_add(to, x->held_data, x->held_len);
	for (size_t i = 0; i < x->n_held_more; i++) {
		assert_true(x->held_more[i].iov_len > 0);
		buf_add(to, x->held_more[i].iov_base, x->held_more[i].iov_len);
	}
}

static int
play_push(struct app_exchange *x)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);

	assert_int_equal(PyGILState_Check(), 0);
	assert_true(ex->sends < EXCHANGE_SENDS);
	ex->pushes++;
	if (++ex->sends == ex->send_fails_at)
		return ex->send_error;
	buf_add(&ex->sent, ex->out.data, ex->out.len);
	add_held(&ex->sent, x);
	ex->sent_at[ex->sends - 1] = ex->sent.len;
	return 0;
}

static int
play_send_file(struct app_exchange *x, int fd, int64_t offset, uint64_t len)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);
	char *data = malloc(len);
	int rc;

	assert_non_null(data);
	assert_int_equal(pread(fd, data, len, offset), len);
	close(fd);
	rc = play_send(x, data, len, STR(""));
	free(data);
	ex->files++;
	return rc;
}

static int
play_send_interim(struct app_exchange *x, struct str head)
{
	struct exchange *ex = CONTAINER_OF(x, struct exchange, x);

	assert_int_equal(PyGILState_Check(), 0);
	assert_true(ex->sends < EXCHANGE_SENDS);
	if (++ex->sends == ex->send_fails_at)
		return ex->send_error;
	buf_add_str(&ex->sent, head);
	ex->sent_at[ex->sends - 1] = ex->sent.len;
	return 0;
}

static void
play_before_head(struct app_exchange *x, bool whole)
{
	(void)whole;
	CONTAINER_OF(x, struct exchange, x)->dates++;
}

static const struct app_client client = {.read = play_read,
	.send = play_send,
	.lend = play_lend,
	.reclaim = play_reclaim,
	.push = play_push,
	.send_file = play_send_file,
	.send_interim = play_send_interim,
	.before_head = play_before_head};

/* --- one request -------------------------------------------------------------------------- */

static const struct request_limits limits = {
	.line = 65536, .fields = 100, .field_size = 65536};

/* The head with CRLF, and the body as it is. */
static size_t
make_head(const char *text, struct buf *to)
{
	const char *body = strstr(text, "\n\n");

	assert_non_null(body);
	body += 2;
	for (; text < body; text++) {
		if (*text == '\n')
			buf_add_char(to, '\r');
		buf_add_char(to, *text);
	}
	buf_add_text(to, body);
	return strlen(body);
}

static void
set_peer(struct app_peer *peer)
{
	if (peer->scheme.len > 0)
		return;
	peer->remote_addr = STR("192.0.2.7");
	peer->remote_port = STR("40000");
	peer->server_addr = STR("192.0.2.1");
	peer->server_port = STR("8000");
	peer->scheme = STR("http");
}

static void
set_response(struct exchange *ex)
{
	ex->response = (struct response){
		.out = &ex->out,
		.minor = ex->request.minor,
		.to_head = str_equal(ex->request.method, STR("HEAD")),
		.keep_alive = ex->request.keep_alive,
		.date = "Thu, 26 Nov 2026 04:19:12 GMT",
		.server = "wsgid",
	};
}

void
exchange_run(struct exchange *ex, const char *text)
{
	static const struct path_rules rules = {0};
	struct buf data = {0}, resolved = {0};
	struct str path;
	const char *why;
	size_t body_len = make_head(text, &data);
	ssize_t n = request_parse(&ex->request, data.data, data.len, &limits);

	if (n <= 0)
		fail_msg("the request was refused: %s",
			request_complaint(&ex->request));
	set_peer(&ex->peer);
	set_response(ex);
	path = STR("");
	if (ex->request.form != REQUEST_ASTERISK)
		assert_int_equal(path_find(ex->request.path, &rules, &resolved,
					 &path, &why),
			0);
	ex->x = (struct app_exchange){
		.request = &ex->request,
		.path = path,
		.peer = &ex->peer,
		.client = &client,
		.response = &ex->response,
		.body = {data.data + n, body_len},
		.collected = !ex->streams,
		.unique_id = str_of(ex->unique_id),
		.forwarded = ex->forwarded,
	};
	capture_begin();
	app_call(app, &ex->x);
	capture_end(&ex->log);
	assert_false(PyErr_Occurred());
	buf_add(&ex->all, ex->sent.data, ex->sent.len);
	if (ex->pushes == 0) {
		buf_add(&ex->all, ex->out.data, ex->out.len);
		add_held(&ex->all, &ex->x);
	}
	app_drop(app, ex->x.held);
	buf_fini(&data);
	buf_fini(&resolved);
}

void
exchange_fini(struct exchange *ex)
{
	app_forget_peer(app, &ex->peer);
	buf_fini(&ex->out);
	buf_fini(&ex->sent);
	buf_fini(&ex->all);
	buf_fini(&ex->log);
	*ex = (struct exchange){0};
}

const char *
exchange_all(struct exchange *ex)
{
	return buf_text(&ex->all);
}

const char *
exchange_body(struct exchange *ex)
{
	const char *end = strstr(exchange_all(ex), "\r\n\r\n");

	return end != NULL ? end + 4 : "(no head)";
}

const char *
exchange_log(struct exchange *ex)
{
	return buf_text(&ex->log);
}

void
assert_holds(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("there is no \"%s\" in:\n%s", part, text);
}

void
assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		fail_msg("there is \"%s\" in:\n%s", part, text);
}
