/*
 * journal.h - the error log as records of systemd's journal: "ErrorLog
 * journald".
 */
#ifndef WSGID_MASTER_JOURNAL_H
#define WSGID_MASTER_JOURNAL_H

#include <sys/types.h>

#include "base/log.h"
#include "base/str.h"

struct err;

/* Is there a journal to write to?  0, or a negative errno and a sentence. */
int journal_check(struct err *err);

/* One record, of that process: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, OBJECT_PID,
 * and WSGID_PART, which is the word that plain lines have in brackets. */
void journal_write(
	pid_t pid, enum log_level level, struct str token, struct str text);

#endif
