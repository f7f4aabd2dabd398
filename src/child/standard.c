/*
 * standard.c - descriptors 0 to 2 stay what the master has made them.  See
 * standard.h.
 */
#include "child/standard.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"
#include "base/log.h"

/* --- the copy ------------------------------------------------------------------ */

static bool
is_still_ours(const struct standard *s)
{
	struct stat now;

	return s->log >= 0 && fstat(s->log, &now) == 0 &&
	       now.st_dev == s->is.st_dev && now.st_ino == s->is.st_ino;
}

void
standard_keep(struct standard *s)
{
	standard_forget(s);
	s->log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s->log >= 0 && fstat(s->log, &s->is) < 0)
		fd_close(&s->log);
}

void
standard_forget(struct standard *s)
{
	if (is_still_ours(s))
		close(s->log);
	*s = (struct standard){.log = -1};
}

/* --- what is closed --------------------------------------------------------------- */

/* Never in place of what another thread has just opened there. */
static bool
put_back(int from, int fd)
{
	int got = fcntl(from, F_DUPFD, fd);

	if (got >= 0 && got != fd)
		close(got);
	return got == fd;
}

static void
say_closed(struct standard *s, int fd)
{
	static const char *const names[] = {
		[STDIN_FILENO] = "input",
		[STDOUT_FILENO] = "output",
		[STDERR_FILENO] = "error",
	};
	unsigned bit = 1U << fd;

	if ((__atomic_fetch_or(&s->told, bit, __ATOMIC_RELAXED) & bit) == 0)
		log_warnx("child",
			"the application has closed its standard %s, "
			"descriptor %d: it is open again, so that no client "
			"gets that number",
			names[fd], fd);
}

/* As bits. */
static unsigned
find_closed(void)
{
	unsigned closed = 0;

	for (int i = 0; i <= STDERR_FILENO; i++)
		if (fcntl(i, F_GETFD) < 0)
			closed |= 1U << i;
	return closed;
}

void
standard_mend(struct standard *s)
{
	unsigned closed = find_closed(), mended = 0;
	AUTO_CLOSE int null = -1;
	bool has_log;

	if (closed == 0)
		return;
	has_log = is_still_ours(s);
	null = fd_lift(open("/dev/null", O_RDWR | O_CLOEXEC));
	for (int i = 0; i <= STDERR_FILENO; i++)
		if ((closed & 1U << i) != 0 &&
			put_back(i > 0 && has_log ? s->log : null, i))
			mended |= 1U << i;
	for (int i = 0; i <= STDERR_FILENO; i++)
		if ((mended & 1U << i) != 0)
			say_closed(s, i);
}

int
standard_avoid(struct standard *s, int fd)
{
	int moved = fd_lift(fd);

	if (UNLIKELY(moved != fd) && moved >= 0 && s != NULL)
		standard_mend(s);
	return moved;
}
