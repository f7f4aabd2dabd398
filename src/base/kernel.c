/*
 * kernel.c - what the kernel says in a small file.  See kernel.h.
 */
#include "base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

ssize_t
kernel_read(const char *path, char *to, size_t size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, size - 1) : -1;
	int code = errno;

	to[n > 0 ? n : 0] = '\0';
	return n < 0 ? -code : n;
}

ssize_t
kernel_read_line(const char *path, char *to, size_t size)
{
	ssize_t n = kernel_read(path, to, size);

	if (n < 0)
		return n;
	n = (ssize_t)strcspn(to, "\n");
	to[n] = '\0';
	return n;
}
