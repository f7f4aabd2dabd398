/*
 * journal.c - the error log as records of systemd's journal.  See journal.h.
 *
 * What plain text has to say in a line is a field here: who says it and of which
 * process it is can be asked for, "journalctl OBJECT_PID=812".
 */
#include "master/journal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "built_with.h"

#if HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#else
#define sd_journal_sendv(fields, n) ((void)(fields), 0)
#endif

enum { FIELD = 64, MESSAGE = 8300 };

int
journal_check(struct err *err)
{
	static const char path[] = "/run/systemd/journal/socket";

	if (!HAVE_SYSTEMD)
		return err_setx(err, EINVAL,
			"ErrorLog journald: this wsgid was built without "
			"libsystemd");
	if (access(path, W_OK) < 0)
		return err_set(err, errno,
			"ErrorLog journald: there is no journal at %s", path);
	return 0;
}

void
journal_write(
	pid_t pid, enum log_level level, struct str token, struct str text)
{
	char message[MESSAGE], priority[FIELD], object[FIELD], part[FIELD];
	static const char identifier[] = "SYSLOG_IDENTIFIER=wsgid";
	struct iovec fields[] = {
		{message, (size_t)snprintf(message, sizeof(message),
				  "MESSAGE=%.*s", (int)text.len, text.p)},
		{priority, (size_t)snprintf(priority, sizeof(priority),
				   "PRIORITY=%d", (int)level)},
		{object, (size_t)snprintf(object, sizeof(object),
				 "OBJECT_PID=%d", (int)pid)},
		{part, (size_t)snprintf(part, sizeof(part), "WSGID_PART=%.*s",
			       (int)token.len, token.p)},
		{(void *)identifier, sizeof(identifier) - 1},
	};

	(void)sd_journal_sendv(fields, sizeof(fields) / sizeof(fields[0]));
}
