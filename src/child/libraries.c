/*
 * libraries.c - what has come into this process that is a Python as well.  See
 * libraries.h.
 */
#include "child/libraries.h"

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "net/channel.h"
#include "python/app.h"

void
libraries_init(struct libraries *l, bool has_own, int channel)
{
	l->has_own = has_own;
	l->channel = channel;
	atomic_init(&l->seen, 0);
	atomic_init(&l->told, false);
	atomic_init(&l->asked, false);
}

/* The master need not hear twice that the next ones are better off with the
 * shared library. */
int
libraries_check(struct libraries *l, struct err *err)
{
	char library[CHANNEL_TEXT];
	int rc;

	atomic_store(&l->seen, app_libraries_loaded());
	rc = app_check_libraries(l->has_own, library, sizeof(library), err);
	if (rc > 0 && !atomic_exchange(&l->asked, true))
		(void)channel_send(
			l->channel, CHANNEL_NEEDS_SHARED, 0, library, NULL, 0);
	return rc < 0 ? rc : 0;
}

void
libraries_look(struct libraries *l)
{
	struct err err = {0};

	if (l == NULL || atomic_load(&l->seen) == app_libraries_loaded() ||
		libraries_check(l, &err) == 0 ||
		atomic_exchange(&l->told, true))
		return;
	log_errorx("child", "since a request has imported it, %s", err.text);
}
