/*
 * items.c - what each item of a LogFormat writes.
 *
 * The table at the end is the language.  An item without a value writes "-";
 * what comes from a client is escaped, numbers and our own words need not be.
 */
#include "accesslog/format_priv.h"

#include <string.h>

#include "base/defs.h"

/* Few writers look at their step, and some not at the record. */
#define WRITER(name)                                                      \
	static void name(const struct log_op *op __attribute__((unused)), \
		const struct record *record __attribute__((unused)),      \
		struct buf *out)

void
log_write_number(struct buf *out, unsigned long long n, size_t width)
{
	char digits[LOG_NUMBER_MAX];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0 || sizeof(digits) - at < width);
	buf_add(out, digits + at, sizeof(digits) - at);
}

void
log_write_literal(const struct log_op *op,
	const struct record *record __attribute__((unused)), struct buf *out)
{
	buf_add_str(out, op->text);
}

static void
write_or_dash(struct buf *out, struct str s)
{
	if (s.len > 0)
		log_escape(out, s);
	else
		buf_add_char(out, '-');
}

static void
write_number_or_dash(struct buf *out, unsigned long long n)
{
	if (n > 0)
		log_write_number(out, n, 1);
	else
		buf_add_char(out, '-');
}

/* Those of one name, one after the other. */
struct look {
	record_lookup *lookup;
	const void *subject;
	struct str name;
	size_t from;
};

static struct str
next_header(struct look *l)
{
	return l->lookup != NULL ? l->lookup(l->subject, l->name, &l->from)
				 : (struct str){NULL, 0};
}

static struct look
look_in_request(const struct record *record, struct str name)
{
	return (struct look){
		record->request_header, record->request, name, 0};
}

/* A header that is there and empty writes nothing, as in Apache, and those of
 * one name are a list. */
static void
write_found(struct buf *out, struct look l)
{
	struct str s = next_header(&l);

	if (s.p == NULL)
		buf_add_char(out, '-');
	while (s.p != NULL) {
		log_escape(out, s);
		s = next_header(&l);
		if (s.p != NULL)
			buf_add_text(out, ", ");
	}
}

WRITER(write_percent)
{
	buf_add_char(out, '%');
}

WRITER(write_dash)
{
	buf_add_char(out, '-');
}

WRITER(write_client)
{
	write_or_dash(out, record->client);
}

WRITER(write_peer)
{
	write_or_dash(out, record->peer);
}

WRITER(write_local)
{
	write_or_dash(out, record->local);
}

WRITER(write_local_port)
{
	write_number_or_dash(out, (unsigned)record->local_port);
}

WRITER(write_remote_port)
{
	write_number_or_dash(out, (unsigned)record->remote_port);
}

WRITER(write_body_bytes)
{
	log_write_number(out, record->body_bytes, 1);
}

WRITER(write_body_bytes_clf)
{
	write_number_or_dash(out, record->body_bytes);
}

WRITER(write_bytes_in)
{
	log_write_number(out, record->bytes_in, 1);
}

WRITER(write_bytes_out)
{
	log_write_number(out, record->bytes_out, 1);
}

WRITER(write_bytes_both)
{
	log_write_number(out, record->bytes_in + record->bytes_out, 1);
}

static uint64_t
duration(const struct record *record)
{
	return record->duration_us > 0 ? (uint64_t)record->duration_us : 0;
}

WRITER(write_duration_us)
{
	log_write_number(out, duration(record), 1);
}

WRITER(write_duration_ms)
{
	log_write_number(out, duration(record) / 1000, 1);
}

WRITER(write_duration_s)
{
	log_write_number(out, duration(record) / 1000000, 1);
}

WRITER(write_protocol)
{
	write_or_dash(out, record->protocol);
}

WRITER(write_method)
{
	write_or_dash(out, record->method);
}

/* The password within an absolute target's "user:password@host"; empty where
 * there is none.  Such requests are refused, and logged all the same. */
static struct str
find_password(struct str target)
{
	const char *end = target.p + target.len, *p, *colon;

	if (target.len == 0 || target.p[0] == '/')
		return STR("");
	p = memmem(target.p, target.len, "://", 3);
	if (p == NULL)
		return STR("");
	p += 3;
	for (colon = NULL; p < end && strchr("/? ", *p) == NULL; p++) {
		if (*p == '@' && colon != NULL)
			return (struct str){colon, (size_t)(p - colon)};
		if (*p == ':' && colon == NULL)
			colon = p + 1;
	}
	return STR("");
}

/* The password is a part of s. */
static void
write_without(struct buf *out, struct str s, struct str password)
{
	if (password.len > 0) {
		const char *rest = password.p + password.len;

		log_escape(out,
			(struct str){s.p, (size_t)(password.p - s.p)});
		buf_add_text(out, "XXXXXXXX");
		s.len -= (size_t)(rest - s.p);
		s.p = rest;
	}
	log_escape(out, s);
}

/* Of a target that was refused it is all that is before the query. */
WRITER(write_path)
{
	if (record->path.len > 0)
		write_without(out, record->path, find_password(record->path));
	else
		buf_add_char(out, '-');
}

WRITER(write_query)
{
	if (record->query.p == NULL)
		return;
	buf_add_char(out, '?');
	log_escape(out, record->query);
}

/* Without port and brackets. */
static struct str
name_of_host(struct str host)
{
	bool bracketed = host.len > 0 && host.p[0] == '[';
	const char *end =
		host.len > 0 ? memchr(host.p, bracketed ? ']' : ':', host.len)
			     : NULL;

	if (end != NULL)
		host.len = (size_t)(end - host.p);
	if (end != NULL && bracketed)
		host = (struct str){host.p + 1, host.len - 1};
	return host;
}

/* As Apache: the name alone, in small letters; escapes have no others. */
WRITER(write_host)
{
	size_t start = out->len;

	write_or_dash(out, name_of_host(record->host));
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] >= 'A' && out->data[i] <= 'Z')
			out->data[i] |= 0x20;
}

WRITER(write_user)
{
	struct look l = look_in_request(record, STR("Authorization"));
	struct buf user = {0};

	if (!log_find_user(next_header(&l), &user))
		buf_add_char(out, '-');
	else if (user.len == 0)
		buf_add_text(out, "\"\"");
	else
		log_escape(out, (struct str){user.data, user.len});
	if (buf_failed(&user))
		out->failed = true;
	buf_fini(&user);
}

WRITER(write_request_id)
{
	write_or_dash(out, record->request_id);
}

WRITER(write_status)
{
	write_number_or_dash(
		out, record->status > 0 ? (unsigned)record->status : 0);
}

WRITER(write_keep_alives)
{
	log_write_number(out, record->keep_alives, 1);
}

WRITER(write_pid)
{
	log_write_number(out, (unsigned)record->pid, 1);
}

WRITER(write_tid)
{
	log_write_number(out, (unsigned long)record->thread, 1);
}

WRITER(write_hextid)
{
	buf_printf(out, "%lx", (unsigned long)record->thread);
}

WRITER(write_connection)
{
	char c = record->aborted ? 'X' : record->kept_alive ? '+' : '-';

	buf_add_char(out, c);
}

/* In a request line, with all that is behind it. */
static struct str
find_target(struct str line)
{
	const char *space = memchr(line.p, ' ', line.len);

	if (space == NULL)
		return STR("");
	line.len -= (size_t)(space + 1 - line.p);
	line.p = space + 1;
	return line;
}

WRITER(write_line)
{
	struct str line = record->line;

	if (line.len > 0)
		write_without(out, line, find_password(find_target(line)));
	else
		buf_add_char(out, '-');
}

WRITER(write_request_header)
{
	write_found(out, look_in_request(record, op->text));
}

/* Without its parameters, as Apache. */
static void
write_type(struct buf *out, struct str value)
{
	const char *semicolon =
		value.len > 0 ? memchr(value.p, ';', value.len) : NULL;

	if (semicolon != NULL)
		value.len = (size_t)(semicolon - value.p);
	if (value.p != NULL)
		log_escape(out, str_trim(value));
	else
		buf_add_char(out, '-');
}

void
log_write_response_header(
	const struct log_op *op, const struct record *record, struct buf *out)
{
	struct look l = {
		record->response_header, record->response, op->text, 0};

	if (str_equal_nocase(op->text, STR("Content-Type")))
		write_type(out, next_header(&l));
	else
		write_found(out, l);
}

/* Cut the first of "a=b; c=d" off *cookies. */
static struct str
next_cookie(struct str *cookies)
{
	struct str cookie = *cookies;
	const char *semicolon = memchr(cookie.p, ';', cookie.len);

	if (semicolon == NULL) {
		*cookies = (struct str){NULL, 0};
		return cookie;
	}
	cookie.len = (size_t)(semicolon - cookie.p);
	cookies->p += cookie.len + 1;
	cookies->len -= cookie.len + 1;
	return cookie;
}

/* The value of a name in "a=b; c=d". */
static struct str
find_cookie(struct str cookies, struct str wanted)
{
	while (cookies.p != NULL) {
		struct str cookie = next_cookie(&cookies), name = cookie;
		const char *equals = memchr(cookie.p, '=', cookie.len);

		if (equals == NULL)
			continue;
		name.len = (size_t)(equals - cookie.p);
		if (str_equal_nocase(str_trim(name), wanted))
			return str_trim((struct str){
				equals + 1, cookie.len - name.len - 1});
	}
	return (struct str){NULL, 0};
}

WRITER(write_cookie)
{
	struct look l = look_in_request(record, STR("Cookie"));
	struct str cookies, found = {NULL, 0};

	while (found.p == NULL && (cookies = next_header(&l)).p != NULL)
		found = find_cookie(cookies, op->text);
	if (found.p != NULL)
		log_escape(out, found);
	else
		buf_add_char(out, '-');
}

/* clang-format off */
const struct log_item log_items[] = {
	{'%', LOG_ARGUMENT_WORD, "",          write_percent},
	{'a', LOG_ARGUMENT_WORD, "",          write_client},
	{'a', LOG_ARGUMENT_WORD, "c",         write_peer},
	{'A', LOG_ARGUMENT_WORD, "",          write_local},
	{'B', LOG_ARGUMENT_WORD, "",          write_body_bytes},
	{'b', LOG_ARGUMENT_WORD, "",          write_body_bytes_clf},
	{'C', LOG_ARGUMENT_NAME, NULL,        write_cookie},
	{'D', LOG_ARGUMENT_WORD, "",          write_duration_us},
	{'h', LOG_ARGUMENT_WORD, "",          write_client}, /* no look-ups */
	{'h', LOG_ARGUMENT_WORD, "c",         write_peer},
	{'H', LOG_ARGUMENT_WORD, "",          write_protocol},
	{'i', LOG_ARGUMENT_NAME, NULL,        write_request_header},
	{'I', LOG_ARGUMENT_WORD, "",          write_bytes_in},
	{'k', LOG_ARGUMENT_WORD, "",          write_keep_alives},
	{'l', LOG_ARGUMENT_WORD, "",          write_dash}, /* nobody runs identd */
	{'L', LOG_ARGUMENT_WORD, "",          write_request_id},
	{'m', LOG_ARGUMENT_WORD, "",          write_method},
	{'o', LOG_ARGUMENT_NAME, NULL,        log_write_response_header},
	{'O', LOG_ARGUMENT_WORD, "",          write_bytes_out},
	{'p', LOG_ARGUMENT_WORD, "",          write_local_port},
	{'p', LOG_ARGUMENT_WORD, "canonical", write_local_port},
	{'p', LOG_ARGUMENT_WORD, "local",     write_local_port},
	{'p', LOG_ARGUMENT_WORD, "remote",    write_remote_port},
	{'P', LOG_ARGUMENT_WORD, "",          write_pid},
	{'P', LOG_ARGUMENT_WORD, "pid",       write_pid},
	{'P', LOG_ARGUMENT_WORD, "tid",       write_tid},
	{'P', LOG_ARGUMENT_WORD, "hextid",    write_hextid},
	{'q', LOG_ARGUMENT_WORD, "",          write_query},
	{'r', LOG_ARGUMENT_WORD, "",          write_line},
	{'s', LOG_ARGUMENT_WORD, "",          write_status},
	{'S', LOG_ARGUMENT_WORD, "",          write_bytes_both},
	{'t', LOG_ARGUMENT_TIME, NULL,        log_write_time},
	{'T', LOG_ARGUMENT_WORD, "",          write_duration_s},
	{'T', LOG_ARGUMENT_WORD, "s",         write_duration_s},
	{'T', LOG_ARGUMENT_WORD, "ms",        write_duration_ms},
	{'T', LOG_ARGUMENT_WORD, "us",        write_duration_us},
	{'u', LOG_ARGUMENT_WORD, "",          write_user},
	{'U', LOG_ARGUMENT_WORD, "",          write_path},
	{'v', LOG_ARGUMENT_WORD, "",          write_host},
	{'V', LOG_ARGUMENT_WORD, "",          write_host},
	{'X', LOG_ARGUMENT_WORD, "",          write_connection},
};
/* clang-format on */

const size_t log_n_items = ARRAY_LEN(log_items);

bool
log_is_late(log_writer *write)
{
	static log_writer *const late[] = {
		write_bytes_out,
		write_bytes_both,
		write_duration_us,
		write_duration_ms,
		write_duration_s,
		write_connection,
	};

	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		if (late[i] == write)
			return true;
	return false;
}
