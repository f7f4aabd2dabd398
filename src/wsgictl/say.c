/*
 * say.c - the only way by which text leaves wsgictl.  See say.h.
 */
#include "wsgictl/say.h"

#include "base/printable.h"

void
say_buf(FILE *to, struct buf *text)
{
	text->len = printable_clean(text->data, text->len, "\n\t");
	if (text->len > 0)
		fwrite(text->data, 1, text->len, to);
}

void
say_valist(FILE *to, const char *format, va_list args)
{
	struct buf text = {0};

	buf_vprintf(&text, format, args);
	say_buf(to, &text);
	buf_fini(&text);
}

void
say_to(FILE *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_valist(to, format, args);
	va_end(args);
}

void
say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_valist(stdout, format, args);
	va_end(args);
}
