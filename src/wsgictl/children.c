/*
 * children.c - what the children of the running server have in memory.  See
 * children.h.
 *
 * A process that has imported an application has served nobody yet: caches,
 * pools and whatever leaks are in those that serve.
 */
#include "wsgictl/children.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/memory.h"
#include "wsgictl/command.h"
#include "wsgictl/snapshot.h"
#include "wsgictl/target.h"

struct sum {
	struct memory memory;
	long measured, refused;
};

static void
add_child(struct sum *sum, pid_t pid, struct buf *findings)
{
	struct memory m;
	int rc = memory_read(pid, &m);

	sum->refused += rc == -EACCES || rc == -EPERM;
	if (rc < 0)
		return; /* it may have ended in the meantime */
	buf_printf(findings,
		"children: pid %d: %ld KiB private, %ld KiB shared\n", (int)pid,
		m.private_kib, m.shared_kib);
	sum->memory.private_kib += m.private_kib;
	sum->memory.shared_kib += m.shared_kib;
	sum->measured++;
}

static void
describe(const struct instance *one, const struct snapshot *s,
	struct buf *findings)
{
	struct sum sum = {0};

	for (size_t i = 0; i < s->n_workers; i++)
		if (s->workers[i].worker == 0 &&
			s->workers[i].lifecycle == WSGID_PROCESS_READY)
			add_child(&sum, s->workers[i].pid, findings);
	if (sum.measured > 0)
		buf_printf(findings,
			"memory_of: each child of %s, pid %d, on average\n"
			"memory_private_kib: %ld\nmemory_shared_kib: %ld\n",
			one->name, (int)one->pid,
			sum.memory.private_kib / sum.measured,
			sum.memory.shared_kib / sum.measured);
	else if (sum.refused > 0)
		buf_printf(findings,
			"memory_of: a process of its own: that of the children "
			"of %s, pid %d, is root's to see; try sudo\n",
			one->name, (int)one->pid);
}

void
children_describe(const struct command *c, struct buf *findings)
{
	struct target target;
	struct snapshot s;
	struct err err = {0};

	if (target_find_running(&target, c, &err) == EXIT_DONE &&
		snapshot_take(&s, target.one->board, true, 0, &err) == 0) {
		describe(target.one, &s, findings);
		snapshot_fini(&s);
	}
	target_fini(&target);
}
