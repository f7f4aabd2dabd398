/*
 * master.h - the process that owns the server and serves nothing itself.
 *
 * It holds the listening sockets, the scoreboard, the control socket and the
 * children; it never maps Python and never reads a byte of a client.
 */
#ifndef WSGID_MASTER_MASTER_H
#define WSGID_MASTER_MASTER_H

#include "base/buf.h"

struct config;
struct err;

/* What the program asks of its master. */
struct master_order {
	/* Read the configuration anew from all its sources; not settled.
	 * NULL and a sentence when that is impossible; mistakes in it are
	 * the configuration's messages.  Called once at every reload. */
	struct config *(*read)(void *arg, struct err *err);
	/* Called once, when the start is decided: status 0 when the first
	 * child serves; else the exit status and the reason, which is "" when
	 * it was written to standard error as a line of the log. */
	void (*started)(void *arg, int status, const char *text);
	void *arg;
	struct buf *notices; /* of master_settle, to be logged */
};

/* Decide as whom children run, replace "auto" by numbers, apply the rules
 * between directives; running is the configuration of the server that
 * reloads, NULL at the start.  0, or -EINVAL: then the configuration's
 * messages say why.  What deserves a remark without being wrong is appended to
 * notices, a line each. */
int master_settle(
	struct config *c, const struct config *running, struct buf *notices);

/* Serve until told to stop.  Takes over the settled configuration.  The
 * exit status of the program: 0, 1, or 78 when the configuration is wrong. */
int master_run(const struct master_order *order, struct config *c);

#endif
