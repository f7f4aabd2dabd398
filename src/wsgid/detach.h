/*
 * detach.h - becoming a daemon that first proves itself.
 */
#ifndef WSGID_WSGID_DETACH_H
#define WSGID_WSGID_DETACH_H

struct err;

/* Fork.  Returns in the daemon, a session of its own, with a descriptor for
 * detach_report.  The process that called waits for the report, says the
 * reason of a failure on standard error, and exits; a signal that ends it
 * before stops the daemon, too.  The first n_passed descriptors behind standard
 * error are sockets that systemd passes, to the daemon then.  Or a negative errno. */
int detach(int n_passed, struct err *err);

/* Tell the waiting process how the start ended: 0, or an exit status and
 * the reason; then let go of the terminal.  Closes the descriptor. */
void detach_report(int fd, int status, const char *text);

#endif
