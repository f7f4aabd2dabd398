/*
 * master.h - the process that owns the server and serves nothing itself.
 *
 * It holds the listening sockets, the scoreboard, the control socket and the
 * children; it never maps Python and never reads a byte of a client.
 */
#ifndef WSGID_MASTER_MASTER_H
#define WSGID_MASTER_MASTER_H

#include <stdbool.h>

#include "base/buf.h"

struct config;
struct heritage;
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
	/* Our own program, for an upgrade: where it is (NULL: not known), and
	 * its words. */
	const char *program;
	char *const *argv;
	bool daemon; /* whoever started us waits for our end no more */
	struct heritage *heritage; /* of a master before us, or NULL */
};

/* What a master that upgrades itself has left to this process: *ret, or NULL
 * when it was started by somebody else.  0 or a negative errno. */
int master_inherit(struct heritage **ret, struct err *err);
/* We cannot serve, and this is the reason for the old master, or NULL. */
void master_renounce(struct heritage *h, const char *reason);
/* What is wrong with our configuration, for whoever asked the old master for
 * the upgrade.  h may be NULL. */
void master_tell_mistakes(const struct heritage *h, const struct config *c);
/* Before master_settle: where process 1 of a container tries its program in
 * another process, this one takes root for what process 1 would. */
void master_settle_trial(const struct heritage *h, struct config *c);
/* Before master_settle: where systemd passes sockets, or has passed them to the
 * master before us, PORT is not read. */
void master_settle_port(const struct heritage *h, struct config *c);

/* Before the configuration is read: a socket unit that accepts by itself starts
 * an instance for each client, whose name has no configuration, and that is not
 * what is wrong.  How many sockets are passed to this process, or -EINVAL. */
int master_check_sockets(struct err *err);

/* One sentence about all the mistakes of a configuration. */
void master_sum_up(const struct config *c, struct err *err);

/* Decide as whom children run, replace "auto" by numbers, apply the rules
 * between directives; running is the configuration of the server that
 * reloads, NULL at the start.  0, or -EINVAL: then the configuration's
 * messages say why.  What deserves a remark without being wrong is appended to
 * notices, a line each. */
int master_settle(
	struct config *c, const struct config *running, struct buf *notices);

/* Try the application of a settled configuration, in a process that serves
 * nobody, and with told describe its Python on standard output, a line "key:
 * value" each.  An exit status: 0, 1 for the application, 78 for the
 * configuration or the installation; a sentence where nothing else was said. */
int master_check(struct config *c, bool told, struct err *err);

/* Serve until told to stop.  Takes over the settled configuration and the
 * heritage.  The
 * exit status of the program: 0, 1, or 78 when the configuration is wrong. */
int master_run(const struct master_order *order, struct config *c);

#endif
