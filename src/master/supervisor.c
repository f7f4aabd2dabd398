/*
 * supervisor.c - does somebody wait for the end of this very process?
 *
 * A container ends with its process 1, whatever else runs in it; the small
 * inits of containers end with the one process that they have started; and
 * supervisors start anew what has ended.  For all of these a new master must
 * have the old one's pid.  systemd is not among them, because it is told of
 * the new pid, nor is a shell.
 *
 * They cannot be asked, so they are known by their names.
 */
#include "master/supervisor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/kernel.h"

static const char *const supervisors[] = {
	"catatonit",
	"docker-init",
	"dumb-init",
	"podman-init", /* catatonit, as "podman run --init" calls it */
	"tini",        /* of containers */
	"circusd",
	"monit",
	"runsv",
	"s6-supervise",
	"supervise",
	"supervisord",
};

bool
supervisor_waits(const char *parent)
{
	for (size_t i = 0; i < ARRAY_LEN(supervisors); i++)
		if (strcmp(supervisors[i], parent) == 0)
			return true;
	return false;
}

bool
supervisor_wants_pid(char parent[SUPERVISOR_NAME])
{
	char path[64];

	parent[0] = '\0';
	if (getpid() == 1)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)getppid());
	(void)kernel_read_line(path, parent, SUPERVISOR_NAME);
	return supervisor_waits(parent);
}
