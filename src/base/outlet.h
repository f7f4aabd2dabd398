/*
 * outlet.h - lines for a file that may take none for a while.
 *
 * Who writes to a pipe that nobody reads waits in write(2), and a terminal that
 * was stopped by Ctrl-S is no better.  An outlet never waits: what is not taken
 * it keeps, in order, until it is asked to try again.  What is too much to keep
 * is lost, and counted.
 *
 * The file is shared with others, as standard error is, so it must not become
 * one that never waits for them, too: O_NONBLOCK would be seen by all.  A line
 * of at most PIPE_BUF bytes is never in the midst of another one of a pipe; a
 * longer one may be, of somebody else's, but never of ours.
 *
 * Regular files are written to as ever, as nobody has to make room in them.
 *
 * Who has many lines to write at once gathers them: a file gets them in one
 * write, and a pipe as many whole ones as fit PIPE_BUF.
 */
#ifndef WSGID_BASE_OUTLET_H
#define WSGID_BASE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

enum {
	OUTLET_KEEPS = 256 * 1024,
	OUTLET_GATHERS = 64 * 1024 /* and writes then */
};

struct outlet {
	int fd;  /* the caller's */
	int own; /* the same file; -1: writing to it may wait, or never has to */
	/* To own: as write(2), and -EAGAIN for "not now". */
	ssize_t (*write)(int fd, const void *data, size_t len);
	dev_t device;
	ino_t inode;
	size_t together; /* bytes of several lines in one write, at most */
	struct buf kept;
	bool torn;    /* the first of them is the rest of a line */
	bool cut;     /* the file, being full, has taken a part of the last line */
	bool refused; /* the file took no more when it was last tried */
	bool gathers; /* so it was not tried with all of them */
	unsigned long lost;
};

/* One without a file. */
#define OUTLET_INIT {.fd = -1, .own = -1}

/* Lines go to fd from now on, kept ones too.  fd stays the caller's, and may be
 * closed before another one is given only where no line is kept. */
void outlet_use(struct outlet *o, int fd);

/* Write one line, with its end.  Whether it could be written is not said, as
 * with any log. */
void outlet_write(struct outlet *o, const char *line, size_t len);

/* Gather lines until there are many of them; and in the end write those. */
void outlet_gather(struct outlet *o, bool gathers);

/* Write what is kept, as far as the file takes it now. */
void outlet_flush(struct outlet *o);

/* Is something kept that the file did not take?  Then poll(2) says of outlet_fd when to try again. */
bool outlet_waits(const struct outlet *o);
int outlet_fd(const struct outlet *o);
/* Is at least half of what can be kept free? */
bool outlet_has_room(const struct outlet *o);

/* How many lines were lost since this was last asked; 0 as well as long as there
 * is no room for more, and until it was asked all further ones are lost, too: so
 * who says the number says it in the place where they are missing. */
unsigned long outlet_take_lost(struct outlet *o);

/* What is kept, and how many lines were lost, for the program that this process
 * becomes: in a memory file, or -1 when there is nothing.  And there, before the
 * first line and with the same file; fd becomes the outlet's. */
int outlet_bequeath(const struct outlet *o, unsigned long *lost);
void outlet_inherit(struct outlet *o, int fd, unsigned long lost);

/* Try once more; what is kept then is lost.  To be used again with outlet_use. */
void outlet_close(struct outlet *o);

#endif
