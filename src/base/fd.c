/*
 * fd.c - small things done to descriptors.  See fd.h.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/defs.h"

void
fd_close(int *fd)
{
	/* One that is closed already is by now somebody else's, or soon. */
	MAINTAINER_ASSERT(*fd < 0 || fcntl(*fd, F_GETFD) >= 0);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* There is no other flag of descriptors. */
int
fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

/* One call, where fcntl(2) needs one to read and one to write all flags. */
int
fd_set_nonblock(int fd, bool on)
{
	int value = on;

	return ioctl(fd, FIONBIO, &value) < 0 ? -errno : 0;
}

int
fd_lift(int fd)
{
	int moved;

	if (LIKELY(fd > STDERR_FILENO))
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0)
		return -errno;
	close(fd);
	return moved;
}

int
fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fd_read_whole(int fd, size_t limit, char **ret, size_t *ret_len)
{
	AUTO_FREE char *data = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (len == size) {
			char *more;

			if (size > limit)
				return -EFBIG;
			size = size != 0 ? size * 2 : 4096;
			more = realloc(data, size + 1);
			if (more == NULL)
				return -ENOMEM;
			data = more;
		}
		n = pread(fd, data + len, size - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len > limit)
		return -EFBIG;
	data[len] = '\0';
	*ret = data;
	*ret_len = len;
	data = NULL;
	return 0;
}
