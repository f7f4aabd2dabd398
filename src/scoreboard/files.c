/*
 * files.c - the files behind the scoreboard.
 *
 * A file is made under a temporary name that must not exist yet, filled, and
 * renamed: nobody ever sees half of one, and neither step follows a symbolic
 * link that somebody laid there.  Its blocks are allocated at once, for a
 * write through a mapping into a hole of a full file system is SIGBUS.
 */
#include "scoreboard/scoreboard_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

enum { MODE = 0640, NAME_SIZE = 256 };

/* ".NAME.new": hidden from those who look for scoreboards by pattern. */
static int
temporary_name(char to[NAME_SIZE], const char *name)
{
	int n = snprintf(to, NAME_SIZE, ".%s.new", name);

	return n < 0 || n >= NAME_SIZE ? -ENAMETOOLONG : 0;
}

static int
give_size_and_mode(int fd, size_t size)
{
	int rc;

	/* The mode given to open is subject to the umask. */
	if (fchmod(fd, MODE) < 0)
		return -errno;
	do
		rc = posix_fallocate(fd, 0, (off_t)size);
	while (rc == EINTR);
	return -rc;
}

int
scoreboard_file_create(int dir, const char *name, size_t size, gid_t group)
{
	char temporary[NAME_SIZE];
	int fd, rc;

	rc = temporary_name(temporary, name);
	if (rc < 0)
		return rc;
	/* The pid file's lock makes us the only one; what is there was left
	 * behind. */
	unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
	if (fd < 0)
		return -errno;
	rc = give_size_and_mode(fd, size);
	if (rc == 0 && group != 0 && fchown(fd, (uid_t)-1, group) < 0)
		rc = -errno;
	if (rc < 0) {
		unlinkat(dir, temporary, 0);
		close(fd);
		return rc;
	}
	return fd;
}

int
scoreboard_file_create_memory(const char *name, size_t size)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	AUTO_CLOSE int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	int rc;

	if (fd < 0 && errno == EINVAL) /* an older kernel */
		fd = memfd_create(name, flags);
	if (fd < 0)
		return -errno;
	rc = give_size_and_mode(fd, size);
	if (rc < 0)
		return rc;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return fd_take(&fd);
}

int
scoreboard_file_publish(int dir, const char *name)
{
	char temporary[NAME_SIZE];
	int rc = temporary_name(temporary, name);

	if (rc < 0)
		return rc;
	return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
}

void
scoreboard_file_discard(int dir, const char *name)
{
	char temporary[NAME_SIZE];

	if (temporary_name(temporary, name) == 0)
		unlinkat(dir, temporary, 0);
}

bool
scoreboard_file_remove(int dir, const char *name, int fd)
{
	struct stat named, ours;

	if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstat(fd, &ours) < 0 || named.st_dev != ours.st_dev ||
		named.st_ino != ours.st_ino)
		return false;
	unlinkat(dir, name, 0);
	return true;
}

/* Is it BOARD.N or, unfinished, .BOARD.new or .BOARD.N.new?  BOARD itself may
 * begin with a dot. */
static bool
is_left_behind(const char *entry, const char *board_name)
{
	size_t len = strlen(board_name);
	bool hidden = entry[0] == '.' && strncmp(entry, board_name, len) != 0;
	size_t digits = 0;

	entry += hidden;
	if (strncmp(entry, board_name, len) != 0)
		return false;
	entry += len;
	if (entry[0] == '.')
		digits = strspn(entry + 1, "0123456789");
	if (digits > 0)
		entry += 1 + digits;
	return hidden ? strcmp(entry, ".new") == 0
		      : digits > 0 && *entry == '\0';
}

void
scoreboard_file_sweep(int dir, const char *board_name)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *d;

	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL)
		if (is_left_behind(entry->d_name, board_name))
			unlinkat(dir, entry->d_name, 0);
	closedir(d);
}

int
scoreboard_file_reopen(int fd)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, O_RDWR | O_CLOEXEC);
	/* Without /proc the descriptions are one; then the child can make our
	 * reading of its own page fail, and no more. */
	if (ret < 0 && (errno == ENOENT || errno == ENOTDIR))
		ret = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return ret < 0 ? -errno : ret;
}

void
scoreboard_file_read(int fd, void *to, size_t len, size_t offset)
{
	char *p = to;
	ssize_t n;

	while (len > 0) {
		n = pread(fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		p += n;
		len -= (size_t)n;
		offset += (size_t)n;
	}
	memset(p, 0, len);
}
