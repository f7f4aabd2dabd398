/*
 * memory.c - a few bytes that the master and its children share.
 */
#include "lock/memory_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

/* A write that is only short sets no errno. */
static int
write_name(int fd, const char name[MEMORY_NAME])
{
	ssize_t n = pwrite(fd, name, MEMORY_NAME, 0);

	if (n < 0)
		return -errno;
	return n == MEMORY_NAME ? 0 : -EIO;
}

int
memory_create(const char *mechanism, size_t size)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	char name[MEMORY_NAME] = "";
	int fd, rc;

	assert(strlen(mechanism) < MEMORY_NAME);
	strcpy(name, mechanism);
	fd = memfd_create("wsgid-mutex", flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* an older kernel */
		fd = memfd_create("wsgid-mutex", flags);
	if (fd < 0)
		return -errno;
	if (size == 0)
		return fd;
	rc = ftruncate(fd, (off_t)size) < 0 ? -errno : write_name(fd, name);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

int
memory_seal(int fd, bool content)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (content)
		seals |= F_SEAL_WRITE;
	return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int
memory_check(int fd, const char *mechanism, size_t size)
{
	char name[MEMORY_NAME];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)size)
		return -EINVAL;
	if (pread(fd, name, sizeof(name), 0) != sizeof(name))
		return -EINVAL;
	if (strncmp(name, mechanism, sizeof(name)) != 0)
		return -EINVAL;
	return 0;
}

int
memory_map(int fd, const char *mechanism, size_t size, void **ret)
{
	void *memory;
	int rc = memory_check(fd, mechanism, size);

	if (rc < 0)
		return rc;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	madvise(memory, size, MADV_DONTFORK);
	*ret = memory;
	return 0;
}

int
memory_export(int fd)
{
	int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return other < 0 ? -errno : other;
}
