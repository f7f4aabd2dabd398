/*
 * notify.c - the words that systemd understands.  See notify.h.
 *
 * Without the library the calls stay and do nothing, so that nobody else
 * asks how wsgid was built.
 */
#include "master/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/fd.h"
#include "built_with.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, text) ((void)(text))
#define sd_notifyf(unset, ...) ((void)0)
#define sd_listen_fds_with_names(unset, names) \
	((void)(unset), *(names) = NULL, 0)
#define sd_watchdog_enabled(unset, ret) (0)
#define sd_pid_notify_with_fds(pid, unset, text, fds, n) \
	((void)(text), (void)(fds), 0)
#define sd_notify_barrier(unset, us) (0)
#define SD_LISTEN_FDS_START          3
#endif

bool
notify_heard(void)
{
	return HAVE_SYSTEMD && getenv("NOTIFY_SOCKET") != NULL;
}

/* systemd may be busy, and a message that waits for room in its queue would stop
 * us: what is said again anyway is left unsaid then. */
static bool
is_full(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = -1;
	struct pollfd p = {.events = POLLOUT};
	size_t len = path != NULL ? strlen(path) : 0;

	if (len == 0 || len >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	p.fd = fd;
	return fd >= 0 &&
	       connect(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				   len)) == 0 &&
	       poll(&p, 1, 0) == 0;
}

static void
say(const char *word, const char *status)
{
	(void)word;
	if (status == NULL)
		(void)sd_notify(0, word);
	else
		(void)sd_notifyf(0, "%s\nSTATUS=%s", word, status);
}

void
notify_ready(const char *status)
{
	say("READY=1", status);
}

/* The time must not be before that of the request, or systemd takes it for an
 * earlier reload's. */
void
notify_reloading(const char *status)
{
	(void)status;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=%s",
		(long long)(clock_monotonic_ns() / 1000), status);
}

void
notify_stopping(const char *status)
{
	say("STOPPING=1", status);
}

void
notify_main_pid(pid_t pid)
{
	(void)pid;
	(void)sd_notifyf(0, "MAINPID=%d", (int)pid);
}

/* systemd listens to the main process alone, so it must be the stand-in that
 * says who is next, and it has to be there until that is done. */
static void
stand_in(int go, pid_t master)
{
	char c;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!read(go, &c, 1);
	notify_main_pid(master);
	(void)sd_notify_barrier(0, UINT64_MAX);
	_exit(0);
}

void
notify_main_pid_anew(void)
{
	pid_t master = getpid(), pid;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		stand_in(ends[0], master);
	}
	if (pid > 0)
		notify_main_pid(pid);
	/* Its turn. */
	close(ends[1]);
	close(ends[0]);
}

void
notify_status(const char *status)
{
	(void)status;
	if (!is_full())
		(void)sd_notifyf(0, "STATUS=%s", status);
}

void
notify_extend(int64_t us)
{
	(void)us;
	if (!is_full())
		(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)us);
}

int64_t
notify_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)us : 0;
}

void
notify_alive(void)
{
	if (!is_full())
		(void)sd_notify(0, "WATCHDOG=1");
}

void
notify_store(int fd, const char *name)
{
	char text[300];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	(void)sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

void
notify_unstore(const char *name)
{
	(void)name;
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

void
notify_barrier(int64_t ms)
{
	(void)ms;
	(void)sd_notify_barrier(0, (uint64_t)ms * 1000);
}

pid_t
notify_sockets_of(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	long other = pid != NULL ? strtol(pid, NULL, 10) : 0;

	if (!HAVE_SYSTEMD || n == NULL || strtol(n, NULL, 10) <= 0)
		return 0;
	return other != getpid() ? (pid_t)other : 0;
}

int
notify_passed_sockets(bool take, int *first, char ***names)
{
	*first = SD_LISTEN_FDS_START;
	return sd_listen_fds_with_names(take, names);
}
