/*
 * progress.c - what wsgictl says while it waits.  See progress.h.
 */
#include "wsgictl/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/printable.h"
#include "wsgictl/say.h"

void
progress_begin(struct progress *p)
{
	*p = (struct progress){.terminal = isatty(STDOUT_FILENO) == 1};
}

static size_t
width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col - 1;
	return 79;
}

/* In place of the line before; cut, for one that wraps cannot be taken
 * back. */
static void
show(struct progress *p, const char *format, va_list args)
{
	struct buf text = {0};

	buf_vprintf(&text, format, args);
	text.len = printable_clean(text.data, text.len, "");
	if (p->last.len != text.len ||
		memcmp(buf_text(&p->last), buf_text(&text), text.len) != 0) {
		printf("\r\033[K%.*s",
			(int)printable_cut(text.data, text.len, width()),
			buf_text(&text));
		fflush(stdout);
		p->shown = true;
	}
	buf_fini(&p->last);
	p->last = text;
}

static void
take_back(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stdout);
	p->shown = false;
	buf_fini(&p->last);
}

void
progress_step(struct progress *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (p->terminal) {
		show(p, format, args);
	} else {
		say_valist(stdout, format, args);
		putchar('\n');
		fflush(stdout);
	}
	va_end(args);
}

void
progress_wait(struct progress *p, const char *format, ...)
{
	va_list args;

	if (!p->terminal)
		return;
	va_start(args, format);
	show(p, format, args);
	va_end(args);
}

void
progress_say(struct progress *p, const char *format, ...)
{
	va_list args;

	take_back(p);
	va_start(args, format);
	say_valist(stdout, format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void
progress_end(struct progress *p)
{
	take_back(p);
	fflush(stdout);
	*p = (struct progress){.terminal = p->terminal};
}
