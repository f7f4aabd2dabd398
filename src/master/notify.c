/*
 * notify.c - systemd, as far as the master knows it.  See notify.h.
 *
 * Without the library the calls stay and do nothing, so that nobody else
 * asks how wsgid was built.
 */
#include "master/notify.h"

#include "built_with.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, text) ((void)(text))
#define sd_notifyf(unset, ...) ((void)0)
#define sd_listen_fds(unset)   (0)
#define SD_LISTEN_FDS_START    3
#endif

void
notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void
notify_reloading(int64_t monotonic_ns)
{
	(void)monotonic_ns;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)(monotonic_ns / 1000));
}

void
notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void
notify_main_pid(pid_t pid)
{
	(void)pid;
	(void)sd_notifyf(0, "MAINPID=%d", (int)pid);
}

void
notify_status(const char *text)
{
	(void)text;
	(void)sd_notifyf(0, "STATUS=%s", text);
}

int
notify_passed_sockets(int *first)
{
	*first = SD_LISTEN_FDS_START;
	return sd_listen_fds(1);
}
