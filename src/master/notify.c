/*
 * notify.c - the words that systemd understands.  See notify.h.
 *
 * Without the library the calls stay and do nothing, so that nobody else
 * asks how wsgid was built.
 */
#include "master/notify.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "built_with.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, text)                 ((void)(text))
#define sd_notifyf(unset, ...)                 ((void)0)
#define sd_listen_fds_with_names(unset, names) (*(names) = NULL, 0)
#define sd_watchdog_enabled(unset, ret)        (0)
#define SD_LISTEN_FDS_START                    3
#endif

bool
notify_heard(void)
{
	return HAVE_SYSTEMD && getenv("NOTIFY_SOCKET") != NULL;
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

void
notify_status(const char *status)
{
	(void)status;
	(void)sd_notifyf(0, "STATUS=%s", status);
}

void
notify_extend(int64_t us)
{
	(void)us;
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
	(void)sd_notify(0, "WATCHDOG=1");
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
notify_passed_sockets(int *first, char ***names)
{
	*first = SD_LISTEN_FDS_START;
	return sd_listen_fds_with_names(1, names);
}
