/*
 * outlet.c - lines for a file that may take none for a while.  See outlet.h.
 *
 * A pipe and a terminal can be opened anew by /proc, which gives a description
 * of our own that may have O_NONBLOCK.  Where that is not allowed, because the
 * pipe is another user's, the kernel can be asked with each write not to wait;
 * where it cannot, a look before the write has to do, between which and the
 * write only somebody else could fill the pipe.
 */
#include "base/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"

/* --- ways to write ------------------------------------------------------------ */

static ssize_t
write_socket(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static ssize_t
write_own(int fd, const void *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	return n < 0 ? -errno : n;
}

/* As much as a pipe has room for when it has any. */
static ssize_t
look_and_write(int fd, const void *data, size_t len)
{
	struct pollfd room = {fd, POLLOUT, 0};

	if (poll(&room, 1, 0) == 0)
		return -EAGAIN;
	return write_own(fd, data, len < PIPE_BUF ? len : PIPE_BUF);
}

static ssize_t
write_shared(int fd, const void *data, size_t len)
{
	struct iovec part = {(void *)data, len};
	ssize_t n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);

	if (n < 0 && errno == EOPNOTSUPP)
		return look_and_write(fd, data, len);
	return n < 0 ? -errno : n;
}

/* --- which one ---------------------------------------------------------------- */

static int
open_anew(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void
choose_way(struct outlet *o, int fd, mode_t mode)
{
	bool is_socket = S_ISSOCK(mode);

	o->together = OUTLET_KEEPS;
	if (!is_socket && !S_ISFIFO(mode) && !isatty(fd))
		return;
	o->together = S_ISFIFO(mode) ? PIPE_BUF : 0;
	o->own = is_socket ? -1 : open_anew(fd);
	o->write = is_socket ? write_socket : write_own;
	if (o->own >= 0)
		return;
	o->own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (!is_socket)
		o->write = write_shared;
}

/* Of a line that another file has the beginning of, the rest makes no sense. */
static void
drop_torn(struct outlet *o)
{
	const char *end;

	if (!o->torn)
		return;
	end = memchr(o->kept.data, '\n', o->kept.len);
	buf_consume(&o->kept, (size_t)(end + 1 - o->kept.data));
	o->torn = false;
	o->lost++;
}

void
outlet_use(struct outlet *o, int fd)
{
	struct stat st = {0};

	(void)fstat(fd, &st);
	o->fd = fd;
	if (o->own >= 0 && st.st_dev == o->device && st.st_ino == o->inode)
		return;
	drop_torn(o);
	fd_close(&o->own);
	o->cut &= st.st_dev == o->device && st.st_ino == o->inode;
	o->device = st.st_dev;
	o->inode = st.st_ino;
	choose_way(o, fd, st.st_mode);
	outlet_flush(o);
}

/* --- lines -------------------------------------------------------------------- */

/* How much of what is kept goes into one write: whole lines, or else a long
 * one. */
static size_t
first_lines(const struct outlet *o)
{
	size_t most = o->kept.len < o->together ? o->kept.len : o->together;
	const char *end = memrchr(o->kept.data, '\n', most);

	if (end == NULL)
		end = memchr(o->kept.data, '\n', o->kept.len);
	return (size_t)(end + 1 - o->kept.data);
}

/* How much of it a file has taken, which waits for nothing. */
static size_t
write_to_file(int fd, const char *lines, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, lines + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	return done;
}

/* A disk may be full, and have room again: what comes next is a line of its own. */
static void
write_whole(struct outlet *o, const char *lines, size_t len)
{
	size_t done;

	if (o->cut && write_to_file(o->fd, "\n", 1) == 0)
		return;
	done = write_to_file(o->fd, lines, len);
	o->cut = done > 0 && lines[done - 1] != '\n';
}

/* What is first; false when it has to wait.  Lines that cannot be written are
 * left out, as who would be told? */
static bool
write_first(struct outlet *o)
{
	const char *lines = o->kept.data;
	size_t len = first_lines(o);
	ssize_t n;

	if (o->own < 0) {
		write_whole(o, lines, len);
		buf_consume(&o->kept, len);
		return true;
	}
	n = o->write(o->own, lines, len);
	if (n == -EAGAIN || n == -EINTR)
		return n == -EINTR;
	if (n < 0)
		n = (ssize_t)len;
	if (n > 0)
		o->torn = lines[n - 1] != '\n';
	buf_consume(&o->kept, (size_t)n);
	return true;
}

void
outlet_flush(struct outlet *o)
{
	while (o->kept.len > 0 && write_first(o))
		continue;
	o->refused = o->kept.len > 0;
}

void
outlet_gather(struct outlet *o, bool gathers)
{
	o->gathers = gathers;
	if (!gathers && !o->refused)
		outlet_flush(o);
}

void
outlet_write(struct outlet *o, const char *line, size_t len)
{
	if (o->lost > 0 || o->kept.len + len > OUTLET_KEEPS ||
		buf_add(&o->kept, line, len) < 0)
		o->lost++;
	if (!o->gathers || o->refused || o->kept.len >= OUTLET_GATHERS)
		outlet_flush(o);
}

bool
outlet_waits(const struct outlet *o)
{
	return o->refused;
}

int
outlet_fd(const struct outlet *o)
{
	return o->own >= 0 ? o->own : o->fd;
}

bool
outlet_has_room(const struct outlet *o)
{
	return o->kept.len <= OUTLET_KEEPS / 2;
}

unsigned long
outlet_take_lost(struct outlet *o)
{
	unsigned long lost = o->lost;

	if (!outlet_has_room(o))
		return 0;
	o->lost = 0;
	return lost;
}

int
outlet_bequeath(const struct outlet *o, unsigned long *lost)
{
	int fd = -1;

	if (o->kept.len > 0)
		fd = memfd_create("wsgid-lines", MFD_CLOEXEC);
	if (fd >= 0 && fd_write_all(fd, o->kept.data, o->kept.len) < 0)
		fd_close(&fd);
	*lost = fd >= 0 ? o->lost : 0;
	return fd;
}

void
outlet_inherit(struct outlet *o, int fd, unsigned long lost)
{
	AUTO_FREE char *lines = NULL;
	size_t len = 0;

	(void)fd_read_whole(fd, OUTLET_KEEPS, &lines, &len);
	close(fd);
	if (len > 0 && lines[len - 1] == '\n')
		(void)buf_add(&o->kept, lines, len);
	o->lost += lost;
	outlet_flush(o);
}

void
outlet_close(struct outlet *o)
{
	outlet_flush(o);
	for (size_t i = 0; i < o->kept.len; i++)
		o->lost += o->kept.data[i] == '\n';
	buf_fini(&o->kept);
	o->torn = o->refused = false;
	fd_close(&o->own);
	o->fd = -1;
}
