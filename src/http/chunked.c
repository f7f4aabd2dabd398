/*
 * chunked.c - the chunked transfer coding, taken apart.  See chunked.h.
 *
 * A machine of one byte a step, but for the data of chunks, which are passed
 * on as they lie.  Once it has met an error it repeats it: what follows a
 * broken frame must never be taken for a request.
 */
#include "http/chunked.h"

#include "http/chars.h"

enum {
	OVERHEAD_MAX = 8192, /* bytes of extensions and trailers of a body */
	DIGITS_MAX = 16,     /* of a chunk's size, leading zeros included */
};

enum {
	SIZE_FIRST, /* the first digit of a size: there must be one */
	SIZE,
	SIZE_BLANK, /* between the size and the ";" of an extension */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST, /* the start of a trailer line, or of the last CRLF */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	ENDED,
	BROKEN,
};

/* Trailers that would say, too late, how the message is framed or routed, how
 * its content is to be read, or who sends it (RFC 9110 section 6.5.1).  Others
 * are skipped. */
static const char *const refused_trailers[] = {
	"authorization",
	"connection",
	"content-encoding",
	"content-length",
	"content-range",
	"content-type",
	"cookie",
	"expect",
	"host",
	"keep-alive",
	"max-forwards",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"set-cookie",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"www-authenticate",
	NULL,
};

static unsigned
hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c | 0x20) - 'a' + 10;
}

/* Go from one state to the next; returned by the steps. */
static int
enter(struct chunked *c, int state)
{
	c->state = state;
	return 0;
}

static int
expect(struct chunked *c, char ch, char wanted, int state)
{
	return ch == wanted ? enter(c, state) : -400;
}

static int
count_overhead(struct chunked *c)
{
	return ++c->overhead > OVERHEAD_MAX ? -400 : 0;
}

static int
step_digit(struct chunked *c, char ch)
{
	if (!char_is_of(ch, CHAR_HEX) || ++c->line > DIGITS_MAX ||
		c->left > (uint64_t)INT64_MAX >> 4)
		return -400;
	c->left = c->left << 4 | hex_value(ch);
	return enter(c, SIZE);
}

static int
step_size(struct chunked *c, char ch)
{
	switch (ch) {
	case '\r':
		return enter(c, SIZE_LF);
	case ';':
		c->state = EXTENSION;
		return count_overhead(c);
	case ' ':
	case '\t':
		c->state = SIZE_BLANK;
		return count_overhead(c);
	default:
		return step_digit(c, ch);
	}
}

static int
step_size_blank(struct chunked *c, char ch)
{
	if (ch == ';')
		c->state = EXTENSION;
	else if (ch != ' ' && ch != '\t')
		return -400;
	return count_overhead(c);
}

static int
step_extension(struct chunked *c, char ch)
{
	if (ch == '\r')
		return enter(c, SIZE_LF);
	return char_is_of(ch, CHAR_VALUE) ? count_overhead(c) : -400;
}

static int
step_size_lf(struct chunked *c, char ch)
{
	c->line = 0;
	return expect(c, ch, '\n', c->left > 0 ? DATA : TRAILER_FIRST);
}

/* Is the trailer's name, collected in c->name, one of those? */
static bool
is_refused(const struct chunked *c)
{
	struct str name = {c->name, c->line};

	if (c->line > sizeof(c->name))
		return false;
	for (size_t i = 0; refused_trailers[i] != NULL; i++)
		if (str_equal(name, str_of(refused_trailers[i])))
			return true;
	return false;
}

static int
step_trailer_name(struct chunked *c, char ch)
{
	if (ch == ':' && c->line > 0) {
		if (is_refused(c))
			return -400;
		c->line = 0;
		c->state = TRAILER_VALUE;
		return count_overhead(c);
	}
	if (!char_is_of(ch, CHAR_TOKEN))
		return -400;
	if (c->line < sizeof(c->name))
		c->name[c->line] =
			(char)(ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch);
	c->line++;
	c->state = TRAILER_NAME;
	return count_overhead(c);
}

static int
step_trailer_value(struct chunked *c, char ch)
{
	if (ch == '\r')
		return enter(c, TRAILER_LF);
	return char_is_of(ch, CHAR_VALUE) ? count_overhead(c) : -400;
}

/* Take one byte, in any state but DATA, ENDED and BROKEN.  0 or -400. */
static int
step(struct chunked *c, char ch)
{
	switch (c->state) {
	case SIZE_FIRST:
		return step_digit(c, ch);
	case SIZE:
		return step_size(c, ch);
	case SIZE_BLANK:
		return step_size_blank(c, ch);
	case EXTENSION:
		return step_extension(c, ch);
	case SIZE_LF:
		return step_size_lf(c, ch);
	case DATA_CR:
		return expect(c, ch, '\r', DATA_LF);
	case DATA_LF:
		return expect(c, ch, '\n', SIZE_FIRST);
	case TRAILER_FIRST:
		if (ch == '\r')
			return enter(c, LAST_LF);
		return step_trailer_name(c, ch);
	case TRAILER_NAME:
		return step_trailer_name(c, ch);
	case TRAILER_VALUE:
		return step_trailer_value(c, ch);
	case TRAILER_LF:
		return expect(c, ch, '\n', TRAILER_FIRST);
	case LAST_LF:
		return expect(c, ch, '\n', ENDED);
	default:
		return -400;
	}
}

static void
take_data(struct chunked *c, struct str *in, struct str *data)
{
	size_t len = c->left < in->len ? (size_t)c->left : in->len;

	*data = (struct str){in->p, len};
	in->p += len;
	in->len -= len;
	c->left -= len;
	if (c->left == 0)
		c->state = DATA_CR;
}

int
chunked_next(struct chunked *c, struct str *in, struct str *data)
{
	while (in->len > 0 && c->state != ENDED && c->state != BROKEN) {
		if (c->state == DATA) {
			take_data(c, in, data);
			return CHUNKED_DATA;
		}
		if (step(c, in->p[0]) < 0)
			c->state = BROKEN;
		in->p++;
		in->len--;
	}
	if (c->state == BROKEN)
		return -400;
	return c->state == ENDED ? CHUNKED_END : CHUNKED_MORE;
}

size_t
chunked_size_line(char *to, size_t len)
{
	size_t digits = 1, rest = len;

	while ((rest >>= 4) != 0)
		digits++;
	for (size_t i = digits; i-- > 0; len >>= 4)
		to[i] = "0123456789abcdef"[len & 15];
	to[digits] = '\r';
	to[digits + 1] = '\n';
	return digits + 2;
}
