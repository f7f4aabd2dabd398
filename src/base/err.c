/*
 * err.c - a failure that a person has to mend.  See err.h.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
vset(struct err *err, int code, const char *format, va_list args)
{
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

/* Which limit it is, and where it is set, strerror(3) does not say. */
static const char *
hint_of(int code)
{
	return code == EMFILE ? " (the limit is ulimit -n, in a systemd unit "
				"LimitNOFILE=)"
			      : "";
}

int
err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;
	size_t len;

	if (err == NULL)
		return -code;
	va_start(args, format);
	vset(err, code, format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s%s",
		strerror(code), hint_of(code));
	return -code;
}

int
err_setx(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -code;
	va_start(args, format);
	vset(err, code, format, args);
	va_end(args);
	return -code;
}

void
err_at(struct err *err, const char *where)
{
	struct err moved;

	if (err == NULL || *where == '\0')
		return;
	moved = *err;
	(void)err_setx(err, moved.code, "%s: %s", where, moved.text);
}
