/*
 * listen_mend.c - an epoll set of listeners is what it should be.
 *
 * Whoever holds an epoll set may change what is in it, and the children must
 * hold the one that they wait on.  The kernel tells what is in a set, by the
 * number of the descriptor that it was added with, which is ours, and by the
 * file.  What has been taken out is put in again, and what has been changed is
 * changed back; what somebody else has put in he alone can take out.
 */
#include "net/listen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>

/* One line of the kernel's. */
struct entry {
	int fd;
	unsigned events;
	uint64_t data;
	unsigned long inode;
};

enum { EVENTS = EPOLLIN | EPOLLERR | EPOLLHUP };

static bool
read_entry(struct entry *ret, const char *line)
{
	return sscanf(line,
		       " tfd: %d events: %x data: %" SCNx64 " pos:%*d ino:%lx",
		       &ret->fd, &ret->events, &ret->data, &ret->inode) == 4;
}

static bool
is_entry_of(const struct entry *e, const struct listener *l)
{
	struct stat st;

	return e->fd == l->fd && fstat(l->fd, &st) == 0 &&
	       st.st_ino == e->inode;
}

static int
change(int set, int how, const struct listener *l, size_t index)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.u32 = (uint32_t)index};

	return epoll_ctl(set, how, l->fd, &event) < 0 ? -errno : 1;
}

/* Whose entry is it?  There is none for what somebody else has put there. */
static size_t
find(const struct entry *e, const struct listener *listeners, const bool *in,
	size_t n)
{
	size_t i = 0;

	while (i < n && !(in[i] && is_entry_of(e, &listeners[i])))
		i++;
	return i;
}

struct found {
	bool *there; /* which of the listeners */
	bool foreign;
	int changed; /* 0, 1, or a negative errno */
};

static void
look_at(int set, const struct listener *listeners, const bool *in, size_t n,
	const struct entry *e, struct found *ret)
{
	size_t i = find(e, listeners, in, n);

	if (i == n) {
		ret->foreign = true;
		return;
	}
	ret->there[i] = true;
	if (e->events != EVENTS || e->data != i)
		ret->changed = change(set, EPOLL_CTL_MOD, &listeners[i], i);
}

static int
read_set(int set, const struct listener *listeners, const bool *in, size_t n,
	struct found *ret)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", set);
	file = fopen(path, "re");
	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		struct entry e;

		if (read_entry(&e, line))
			look_at(set, listeners, in, n, &e, ret);
	}
	fclose(file);
	return 0;
}

int
listen_set_mend(
	int set, const struct listener *listeners, const bool *in, size_t n)
{
	struct found found = {.there = calloc(n + 1, sizeof(bool))};
	int rc;

	if (found.there == NULL)
		return -ENOMEM;
	rc = read_set(set, listeners, in, n, &found);
	for (size_t i = 0; rc == 0 && i < n && found.changed >= 0; i++)
		if (in[i] && !found.there[i])
			found.changed =
				change(set, EPOLL_CTL_ADD, &listeners[i], i);
	free(found.there);
	if (rc < 0)
		return rc;
	return found.foreign ? -EUCLEAN : found.changed;
}
