/*
 * trouble.c - a world in which things go wrong, for LD_PRELOAD.
 *
 * What goes wrong is in the file that TROUBLE names, and a test changes it at
 * any moment: by how much the clock of the real time was set, and the errno
 * with which accept4(2) fails.  The monotonic clock stays as it is, as the
 * kernel's does when somebody sets the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct trouble {
	volatile int64_t clock_s;
	volatile int32_t accept_errno; /* 0: none */
	volatile int32_t accepts;      /* that have failed by it */
};

static struct trouble none, *now = &none;

__attribute__((constructor)) static void
open_trouble(void)
{
	const char *path = getenv("TROUBLE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(
		NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		now = memory;
}

int
clock_gettime(clockid_t which, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, which, ret);

	if (rc == 0 &&
		(which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		ret->tv_sec += now->clock_s;
	return rc;
}

int
gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	ret->tv_sec = t.tv_sec;
	ret->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret != NULL)
		*ret = t.tv_sec;
	return t.tv_sec;
}

int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	if (now->accept_errno != 0) {
		now->accepts++;
		errno = now->accept_errno;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, address, len, flags);
}
