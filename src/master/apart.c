/*
 * apart.c - what a process of the application's gives up before its exec.
 *
 * What EnvironmentFile says may be the application's user's to write, and the
 * loader and the C library obey some of it (LD_PRELOAD, GCONV_PATH, ...) before
 * any line of the program that is executed, and with its rights: so where there is
 * such a file the process is that user's before.  Without one its environment is
 * the master's own, and it stays root a little longer, until its rings are made:
 * child.c.
 *
 * A terminal takes what processes of its session push into it (TIOCSTI) for what
 * was typed, and root's shell may be the next to read it.  So another user's
 * process has none; it stays in the session, and in the group that Ctrl-C reaches.
 *
 * A master that is not root's may have got capabilities for its own work
 * (AmbientCapabilities=CAP_NET_BIND_SERVICE), which an exec would hand on.
 *
 * The master has one thread, so that in its copy any function can be called.
 */
#include "master/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/privileges.h"
#include "config/config.h"
#include "master/generation.h"

/* Of some 2000 children.  The default of systemd and of the kernel has room for
 * some 70, of all servers of a user. */
#define MEMORY_OF_RINGS (256UL << 20)

/* Newer kernels charge a ring's memory to the user who makes it. */
static void
make_room_for_rings(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
		limit.rlim_cur >= MEMORY_OF_RINGS)
		return;
	if (limit.rlim_max < MEMORY_OF_RINGS) {
		struct rlimit more = {MEMORY_OF_RINGS, MEMORY_OF_RINGS};

		if (setrlimit(RLIMIT_MEMLOCK, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* Of what is merely permitted an exec leaves nothing, unless it is root's.  What is
 * inheritable counts only with files that have capabilities of their own, and
 * systemd's @privileged forbids to change it. */
static int
leave_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets) == 0) {
		for (size_t i = 0; i < ARRAY_LEN(sets); i++)
			sets[i].inheritable = 0;
		(void)syscall(SYS_capset, &header, sets);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0)
		return errno == EINVAL ? 0 : -errno; /* gVisor has no such set */
	return 0;
}

/* Where it cannot be given up alone, the session is. */
static void
leave_terminal(void)
{
	AUTO_CLOSE int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 ? errno != ENXIO : ioctl(fd, TIOCNOTTY) < 0)
		(void)setsid();
}

int
apart_go(const struct generation *g, struct err *err)
{
	const struct config *c = g->config;
	int rc = leave_capabilities();

	if (rc < 0)
		return err_set(err, -rc, "giving up the master's capabilities");
	if (!g->of_another)
		return 0;
	leave_terminal();
	if (g->entries != NULL || c->preload_application)
		make_room_for_rings();
	if (g->entries == NULL)
		return 0;
	return privileges_drop(c->user, c->group, err);
}
