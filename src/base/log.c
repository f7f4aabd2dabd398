/*
 * log.c - the error log.  See log.h.
 *
 * The only writable globals outside the signal flags: a log that must be
 * passed to every function would be passed to every function.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/fd.h"
#include "base/outlet.h"
#include "base/printable.h"

enum { LINE = 8192 }; /* longer messages are cut */

static struct {
	int fd;
	enum log_shape shape;
	enum log_level level;
	void (*record)(pid_t pid, enum log_level level, struct str token,
		struct str text); /* instead of fd */
	bool keeps;               /* what fd does not take: ... */
	struct outlet outlet;     /* ... here */
} out = {STDERR_FILENO, LOG_PLAIN, LOG_LEVEL_NOTICE, NULL, false, OUTLET_INIT};

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static struct {
	long long secret;
	size_t len;
	char text[24];
} mark = {0, 1, LOG_MARK};

void
log_set_secret(long long secret)
{
	mark.secret = secret;
	mark.len = (size_t)snprintf(
		mark.text, sizeof(mark.text), LOG_MARK "%llx", secret);
}

long long
log_secret(void)
{
	return mark.secret;
}

const char *
log_mark(void)
{
	return mark.text;
}

static void
take_secret(void)
{
	const char *secret = getenv(LOG_SECRET);

	if (secret != NULL)
		log_set_secret(strtoll(secret, NULL, 10));
}

void
log_open(int fd, enum log_shape shape)
{
	out.fd = fd;
	out.shape = shape;
	out.record = NULL;
	if (shape == LOG_RELAY)
		take_secret();
	if (out.keeps)
		outlet_use(&out.outlet, fd);
}

void
log_open_records(void (*write)(
	pid_t pid, enum log_level level, struct str token, struct str text))
{
	out.record = write;
	if (out.keeps)
		outlet_close(&out.outlet);
}

bool
log_is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream != NULL &&
	       sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void
log_open_standard(void)
{
	log_open(STDERR_FILENO,
		log_is_journal(STDERR_FILENO) ? LOG_JOURNAL : LOG_PLAIN);
}

void
log_keep_lines(void)
{
	out.keeps = true;
	outlet_use(&out.outlet, out.fd);
}

void
log_set_level(enum log_level level)
{
	out.level = level;
}

bool
log_wants(enum log_level level)
{
	return level <= out.level;
}

const char *
log_level_name(enum log_level level)
{
	return names[level];
}

int
log_level_of(const char *name)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
		if (strcasecmp(name, names[i]) == 0)
			return i;
	return -1;
}

/* "[Thu Nov 26 04:19:12.123456 2026] ", Apache's form.  Lines of one second
 * differ in the fraction alone. */
static size_t
put_time(char *to)
{
	static _Thread_local struct {
		time_t second;
		size_t len;
		char text[64];
	} last;
	int64_t us = clock_real_us();
	time_t now = (time_t)(us / 1000000);
	char *digit;
	struct tm tm;

	if (now != last.second) {
		localtime_r(&now, &tm);
		last.len = strftime(last.text, sizeof(last.text),
			"[%a %b %d %H:%M:%S.000000 %Y] ", &tm);
		last.second = now;
	}
	memcpy(to, last.text, last.len);
	digit = to + strlen("[Thu Nov 26 04:19:12.123456");
	for (int64_t rest = us % 1000000; rest > 0; rest /= 10)
		*--digit = (char)('0' + rest % 10);
	return last.len;
}

static size_t
put_beginning(char *to, size_t size, pid_t pid, enum log_level level,
	struct str token)
{
	size_t len;

	if (out.shape == LOG_RELAY)
		return (size_t)snprintf(to, size, "%s<%d>[%.*s] ", mark.text,
			(int)level, (int)token.len, token.p);
	if (out.shape == LOG_JOURNAL)
		len = (size_t)snprintf(to, size, "<%d>", (int)level);
	else
		len = put_time(to);
	return len + (size_t)snprintf(to + len, size - len,
			     "[%.*s:%s] [pid %d] ", (int)token.len, token.p,
			     names[level], (int)pid);
}

/* How many bytes at the beginning are such as stand in most lines, and may be
 * shown. */
static size_t
plain(struct str text, size_t most)
{
	size_t n = 0;

	while (n < text.len && n < most &&
		((text.p[n] >= ' ' && text.p[n] <= '~') || text.p[n] == '\t'))
		n++;
	return n;
}

/* A message must not be able to forge a line or steer a terminal: what must
 * not be shown, but for the tab, is written as \xhh, byte by byte. */
static size_t
put_text(char *to, size_t size, struct str text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	while (text.len > 0 && n + 4 < size) {
		size_t len = plain(text, size - n - 4);
		unsigned char c = (unsigned char)*text.p;

		if (len == 0)
			len = printable_char(text);
		if (len > 0) {
			memcpy(to + n, text.p, len);
			n += len;
		} else {
			len = 1;
			to[n++] = '\\';
			to[n++] = 'x';
			to[n++] = hex[c >> 4];
			to[n++] = hex[c & 15];
		}
		text.p += len;
		text.len -= len;
	}
	return n;
}

static void
write_line(const char *line, size_t len)
{
	if (out.keeps)
		outlet_write(&out.outlet, line, len);
	else
		(void)fd_write_all(out.fd, line, len);
}

static void
write_message(
	pid_t pid, enum log_level level, struct str token, struct str text)
{
	char line[LINE];
	size_t len;

	if (token.len > 32)
		token.len = 32;
	if (out.record != NULL) {
		len = put_text(line, sizeof(line), text);
		out.record(pid, level, token, (struct str){line, len});
		return;
	}
	len = put_beginning(line, sizeof(line) / 2, pid, level, token);
	len += put_text(line + len, sizeof(line) - len - 1, text);
	line[len++] = '\n';
	write_line(line, len);
}

/* In the place where they are missing.  Only who keeps lines loses any, and he has no
 * threads. */
static void
say_lost(void)
{
	unsigned long lost = out.keeps ? outlet_take_lost(&out.outlet) : 0;
	char text[128];

	if (lost == 0)
		return;
	snprintf(text, sizeof(text),
		"%lu %s of the error log %s lost, as nobody read it", lost,
		lost == 1 ? "line" : "lines", lost == 1 ? "was" : "were");
	write_message(getpid(), LOG_LEVEL_WARN, STR("master"), str_of(text));
}

size_t
log_begin_line(char *to, size_t size, enum log_level level, const char *token)
{
	return out.shape == LOG_RELAY ? put_beginning(to, size, getpid(), level,
						str_of(token))
				      : 0;
}

void
log_relayed(pid_t pid, enum log_level level, struct str token, struct str text)
{
	int saved = errno;

	say_lost();
	write_message(pid, level, token, text);
	errno = saved;
}

bool
log_waits(void)
{
	return outlet_waits(&out.outlet);
}

int
log_fd(void)
{
	return outlet_fd(&out.outlet);
}

void
log_flush(void)
{
	int saved = errno;

	outlet_flush(&out.outlet);
	say_lost();
	errno = saved;
}

bool
log_has_room(void)
{
	return outlet_has_room(&out.outlet);
}

void
log_gather(bool gathers)
{
	int saved = errno;

	outlet_gather(&out.outlet, gathers);
	errno = saved;
}

int
log_bequeath(unsigned long *lost)
{
	return outlet_bequeath(&out.outlet, lost);
}

void
log_inherit(int fd, unsigned long lost)
{
	outlet_inherit(&out.outlet, fd, lost);
}

static void
vlog(enum log_level level, const char *token, int code, const char *format,
	va_list args)
{
	char text[LINE];
	int n;

	if (!log_wants(level))
		return;
	n = vsnprintf(text, sizeof(text), format, args);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	if (code != 0) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, ": %s",
			strerror(code));
		if ((size_t)n >= sizeof(text))
			n = sizeof(text) - 1;
	}
	log_relayed(
		getpid(), level, str_of(token), (struct str){text, (size_t)n});
}

#define DEFINE_LOG(name, level, code)                         \
	void name(const char *token, const char *format, ...) \
	{                                                     \
		va_list args;                                 \
		int saved = errno;                            \
                                                              \
		va_start(args, format);                       \
		vlog(level, token, code, format, args);       \
		va_end(args);                                 \
		errno = saved;                                \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR, saved)
DEFINE_LOG(log_errorx, LOG_LEVEL_ERROR, 0)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN, saved)
DEFINE_LOG(log_warnx, LOG_LEVEL_WARN, 0)
DEFINE_LOG(log_notice, LOG_LEVEL_NOTICE, 0)
DEFINE_LOG(log_info, LOG_LEVEL_INFO, 0)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG, 0)

/* Whatever an application prints may have been chosen by a client, who shall not
 * speak as the master; nor as us, who put the mark before. */
static bool
is_token(struct str s, bool is_marked)
{
	return str_equal(s, STR("app")) ||
	       (is_marked && (str_equal(s, STR("child")) ||
				     str_equal(s, STR("launch"))));
}

/* The length of the beginning that the line has, or 0. */
static size_t
parse_beginning(struct str line, enum log_level *level, struct str *token)
{
	bool is_marked = line.len >= mark.len &&
			 memcmp(line.p, mark.text, mark.len) == 0;
	const char *p = line.p + (is_marked ? mark.len : 0);
	const char *end = line.p + line.len;
	const char *bracket;
	struct str between;

	if (end - p < 6 || p[0] != '<' || p[1] < '0' || p[1] > '7' ||
		p[2] != '>' || p[3] != '[')
		return 0;
	bracket = memchr(p + 4, ']', (size_t)(end - p - 4));
	if (bracket == NULL)
		return 0;
	between = (struct str){p + 4, (size_t)(bracket - p - 4)};
	if (!is_token(between, is_marked))
		return 0;
	*level = p[1] < '0' + LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR
					      : (enum log_level)(p[1] - '0');
	*token = between;
	bracket++;
	return (size_t)(bracket - line.p) + (bracket < end && *bracket == ' ');
}

size_t
log_measure_relayed(struct str line)
{
	const char *end = line.p + line.len, *p = line.p + 1;
	enum log_level level;
	struct str token;

	while (p < end) {
		p = memchr(p, LOG_MARK[0], (size_t)(end - p));
		if (p == NULL)
			break;
		if (parse_beginning((struct str){p, (size_t)(end - p)}, &level,
			    &token) > 0)
			return (size_t)(p - line.p);
		p++;
	}
	return line.len;
}

void
log_parse_relayed(struct str line, enum log_level *level, struct str *token,
	struct str *text)
{
	size_t begins;

	*level = LOG_LEVEL_INFO;
	*token = STR("app");
	begins = parse_beginning(line, level, token);
	*text = (struct str){line.p + begins, line.len - begins};
}
