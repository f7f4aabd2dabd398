/*
 * scale.c - another number of processes for the server that runs.
 *
 * What the control socket's "scale" asks for is as if Processes had been
 * written, in the configuration of the generation that serves; a reload reads
 * the file again, and so ends it.  Growing is a debt that the pool pays.
 * Shrinking ends children that still start before idle ones, and idle ones
 * before busy ones, each of which finishes what it does.
 */
#include "master/scale.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "control/control.h"
#include "master/board.h"
#include "master/census.h"
#include "master/child.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/pool.h"
#include "master/state.h"
#include "master/template.h"
#include "master/upgrade.h"
#include "mpm/mpm.h"

static int
refuse(const struct master *m, long n, struct err *err)
{
	if (m->phase == PHASE_STARTING || heir_waits(m))
		return err_setx(err, EBUSY, "the server is still starting");
	if (m->phase != PHASE_RUNNING)
		return err_setx(err, EBUSY, CONTROL_STOPPING);
	if (m->reloading || m->next != NULL)
		return err_setx(err, EBUSY,
			"a reload is running, and would end it: scale when it "
			"is over");
	if (upgrade_running(m))
		return err_setx(err, EBUSY,
			"an upgrade is running, and would end it: scale when "
			"it is over");
	if (n < 1 || n > m->server_limit)
		return err_setx(err, EINVAL,
			"from 1 to ServerLimit of %ld processes are possible; "
			"a higher ServerLimit needs a stop and a start",
			m->server_limit);
	return 0;
}

/* A child that was told to be alone says so in wsgi.multiprocess, and so does whom a
 * template forks that was. */
static void
replace_the_lonely(struct master *m)
{
	template_renew(m);
	for (unsigned i = 0; i < m->n_slots; i++)
		if (child_active(&m->children[i]))
			m->children[i].wants_retire = m->children[i].lonely =
				true;
}

static bool
has_lonely(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++)
		if (child_active(&m->children[i]) && m->children[i].lonely)
			return true;
	return false;
}

int
scale_begin(struct master *m, long n, struct err *err)
{
	long before = census_limit(m);
	struct census census;
	int rc = refuse(m, n, err);

	if (rc < 0)
		return rc;
	rc = generation_set_processes(m->now, n, err);
	if (rc < 0)
		return rc;
	log_notice("master",
		"Processes %ld until the next reload, asked by the control "
		"socket",
		n);
	if (before == 1 && n > 1)
		replace_the_lonely(m);
	census_take(m, &census);
	m->owed = 0;
	if (census_active(&census) < n)
		pool_owe(m, (int)n - census_active(&census));
	m->scale = (struct scale){
		.running = true,
		.generation = m->now->number,
		.failures = m->throttle.failures,
	};
	board_show_generation(m);
	return 0;
}

static struct child *
last_one(const struct master *m, bool starting)
{
	for (unsigned i = m->n_slots; i-- > 0;) {
		struct child *c = &m->children[i];

		if (child_active(c) && !c->replacement &&
			(!starting || c->life == LIFECYCLE_STARTING))
			return c;
	}
	return NULL;
}

static struct child *
one_too_many(const struct master *m)
{
	struct child *c = last_one(m, true);

	if (c == NULL)
		c = census_idle_child(m);
	return c != NULL ? c : last_one(m, false);
}

static void
end(struct master *m, const char *reason)
{
	m->scale.running = false;
	control_scaled(m, reason);
}

void
scale_turn(struct master *m)
{
	struct census census;
	struct child *c;

	if (!m->scale.running)
		return;
	if (m->phase != PHASE_RUNNING) {
		end(m, CONTROL_STOPPING);
		return;
	}
	if (m->now->number != m->scale.generation) {
		end(m, "a reload has begun, and what is configured holds");
		return;
	}
	if (m->throttle.failures > m->scale.failures) {
		end(m, "new children fail, and the error log says why; the "
		       "server goes on trying");
		return;
	}
	census_take(m, &census);
	while (census_active(&census) > census_limit(m)) {
		c = one_too_many(m);
		if (c == NULL)
			break;
		child_retire(m, c, m->now->config->worker_drain_timeout);
		census_take(m, &census);
	}
	/* Some may have done their share, and have replacements: that goes on
	 * for ever. */
	if (census.starting == census.replacements && !has_lonely(m) &&
		census.ready == census_limit(m))
		end(m, NULL);
}
