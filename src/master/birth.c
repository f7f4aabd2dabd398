/*
 * birth.c - a child that a template was told to fork, until it has spoken.
 *
 * From the order on it has its slot, but no process yet that we know.  The
 * template runs foreign code, so what it says about its children would not be
 * believed: the child itself speaks, on the channel that came with the order,
 * and the kernel says which process that was.  It must be one that is ours to
 * wait for and that we do not know already; then the slot is its, and a lying
 * template has gained nothing that a child could not do.
 *
 * Nothing may be sent to process 0, which is our own group.
 */
#include "master/birth.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "master/board.h"
#include "master/child.h"
#include "master/generation.h"
#include "master/master_priv.h"
#include "master/pool.h"
#include "master/relay.h"
#include "master/restart.h"
#include "master/state.h"
#include "master/template.h"
#include "mpm/mpm.h"
#include "net/channel.h"
#include "scoreboard/scoreboard.h"

bool
birth_expected(const struct child *c)
{
	return c->life != LIFECYCLE_VACANT && c->pid == 0;
}

/* --- it will not come ------------------------------------------------------------ */

/* The template could not fork, as the master cannot where there is none. */
static void
not_forked(struct master *m, const struct child *dead)
{
	if (m->phase == PHASE_STARTING) {
		master_fail(m, EXIT_FAILURE, dead->reason);
		return;
	}
	if (m->next != NULL && dead->generation == m->next->number) {
		restart_fail(m, dead->reason);
		return;
	}
	log_errorx("master", "%s; trying again later", dead->reason);
	pool_failed(m, dead, "that could not be forked");
	if (!dead->replacement)
		pool_owe(m, 1);
}

/* It has lost the order, or lies, or has died.  What follows for a generation
 * that is still to be proven follows from its end. */
static void
not_seen(struct master *m, const struct child *dead)
{
	bool of_next = m->next != NULL && dead->generation == m->next->number;

	template_kill(m, dead->generation,
		"it has not forked a child that it was told to fork");
	if (m->phase == PHASE_RUNNING && !of_next && !dead->replacement)
		pool_owe(m, 1);
}

void
birth_lost(struct master *m, struct child *c)
{
	struct child dead = *c;

	if (c->channel.fd >= 0)
		master_forget(m, &c->channel);
	fd_close(&c->output);
	scoreboard_bury(m->scoreboard, c->slot);
	child_happened(m, c, LIFECYCLE_DIED);
	if (dead.told || m->phase == PHASE_STOPPING)
		return;
	if (dead.failed)
		not_forked(m, &dead);
	else
		not_seen(m, &dead);
}

/* --- it comes ---------------------------------------------------------------------- */

static bool
is_newborn(const struct master *m, pid_t pid)
{
	siginfo_t info;

	return pid > 0 && child_of_pid(m, pid) == NULL &&
	       template_of_pid(m, pid) == NULL &&
	       waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		       0;
}

void
birth_hear(struct master *m, struct child *c,
	const struct channel_message *message)
{
	int output = c->output, rc;

	if (message->kind == CHANNEL_FAILED) {
		child_cannot_serve(m, c, message->text);
		return;
	}
	if (message->kind != CHANNEL_BORN || !is_newborn(m, message->pid)) {
		log_warnx("master",
			"process %d says that it is the child of slot %u and "
			"is not",
			(int)message->pid, c->slot);
		birth_lost(m, c);
		return;
	}
	c->pid = message->pid;
	c->output = -1;
	board_show_birth(m, c);
	rc = relay_open(m, output, c->pid);
	if (rc < 0)
		child_cannot_be_watched(c, rc);
	log_info("master", "child pid %d (slot %u, generation %u) started",
		(int)c->pid, c->slot, c->generation);
}

/* A child may have died before we have read who it is. */
void
birth_listen(struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		struct child *c = &m->children[i];

		if (birth_expected(c) && c->channel.fd >= 0)
			child_speaks(m, &c->channel);
	}
}
