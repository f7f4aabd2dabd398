/*
 * inherit.c - what a child finds in its hands when it starts.
 *
 * inherit_arrange runs between fork and exec: only system calls, no memory,
 * no stdio.  The one thing to get wrong there is the order: a descriptor
 * that is to become number 5 may itself have the number that another one
 * wants, so all of them first move out of the way and then to their places.
 */
#include "net/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

enum { FIRST = INHERIT_CHANNEL };

/* More listeners or logs than any configuration has: INHERIT_REST plus both
 * stays far from overflow. */
enum { MANY = 100000 };

void
inherit_format(const struct inheritance *in, char to[INHERIT_ARGUMENT])
{
	snprintf(to, INHERIT_ARGUMENT,
		"slot=%u generation=%u listeners=%u logs=%u sets=%u "
		"template=%u warm_up=%u",
		in->slot, in->generation, in->n_listeners, in->n_logs,
		in->n_sets, in->is_template, in->warm_up);
}

int
inherit_parse(struct inheritance *ret, const char *argument, struct err *err)
{
	struct inheritance in;
	char again[INHERIT_ARGUMENT];

	/* sscanf forgives signs, spaces, leading zeros and overflow; what
	 * was forgiven does not come out the same again. */
	if (strlen(argument) < INHERIT_ARGUMENT &&
		sscanf(argument,
			"slot=%u generation=%u listeners=%u logs=%u sets=%u "
			"template=%u warm_up=%u",
			&in.slot, &in.generation, &in.n_listeners, &in.n_logs,
			&in.n_sets, &in.is_template, &in.warm_up) == 7) {
		inherit_format(&in, again);
		if (strcmp(argument, again) == 0 && in.n_sets <= MANY &&
			in.is_template <= 1 &&
			in.warm_up <= INHERIT_WARM_ONLY &&
			in.n_listeners <= MANY &&
			in.n_logs <= MANY) {
			*ret = in;
			return 0;
		}
	}
	return err_setx(err, EINVAL,
		"this program is started by wsgid and not by hand: it wants "
		"\"slot=N generation=N listeners=N logs=N sets=N "
		"template=0|1 warm_up=0|1|2\", not \"%.100s\"",
		argument);
}

int
inherit_set(const struct inheritance *in)
{
	if (in->n_sets < 2)
		return in->n_sets == 1 ? INHERIT_SET : -1;
	return INHERIT_REST + (int)(in->n_listeners + in->n_logs) +
	       (int)(in->slot % in->n_sets);
}

int
inherit_end(const struct inheritance *in)
{
	return INHERIT_REST + (int)(in->n_listeners + in->n_logs) +
	       (in->n_sets > 1 ? (int)in->n_sets : 0);
}

static int
move(int from, int to)
{
	while (dup2(from, to) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int
inherit_arrange(int *fds, size_t n)
{
	int behind = FIRST + (int)n;

	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= behind)
			continue;
		/* What stays behind in the range is overwritten below. */
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, behind);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++) {
		/* dup2 leaves close-on-exec off. */
		int rc = move(fds[i], FIRST + (int)i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- what comes with an order to fork -------------------------------------------- */

void
inherit_format_slot(unsigned slot, char to[INHERIT_ARGUMENT])
{
	snprintf(to, INHERIT_ARGUMENT, "slot=%u", slot);
}

int
inherit_parse_slot(unsigned *slot, const char *text)
{
	char again[INHERIT_ARGUMENT];
	unsigned found;

	if (sscanf(text, "slot=%u", &found) != 1)
		return -EPROTO;
	inherit_format_slot(found, again);
	if (strcmp(text, again) != 0)
		return -EPROTO;
	*slot = found;
	return 0;
}

/* Where the i-th descriptor of an order belongs. */
static int
place_of(const struct inheritance *in, size_t i)
{
	switch (i) {
	case INHERIT_FORK_CHANNEL:
		return INHERIT_CHANNEL;
	case INHERIT_FORK_OUTPUT:
		return STDOUT_FILENO;
	case INHERIT_FORK_PAGE:
		return INHERIT_PAGE;
	case INHERIT_FORK_MUTEX:
		return INHERIT_MUTEX;
	default:
		return INHERIT_REST + (int)in->n_listeners + (int)i -
		       INHERIT_FORK_LOGS;
	}
}

/* The application may have closed what was not its own, and then one of these
 * can have the number that is another one's place. */
static int
move_away(const struct inheritance *in, int *fd)
{
	int behind = INHERIT_REST + (int)(in->n_listeners + in->n_logs);
	int moved;

	if (*fd >= behind)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, behind);
	if (moved < 0)
		return -errno;
	close(*fd);
	*fd = moved;
	return 0;
}

int
inherit_take_place(const struct inheritance *in, int *fds, size_t n)
{
	int rc = 0;

	if (n != INHERIT_FORK_LOGS + (size_t)in->n_logs)
		return -EPROTO;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = move_away(in, &fds[i]);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int place = place_of(in, i);

		rc = move(fds[i], place);
		if (rc == 0 && i == INHERIT_FORK_OUTPUT)
			rc = move(fds[i], STDERR_FILENO);
		else if (rc == 0 && fcntl(place, F_SETFD, FD_CLOEXEC) < 0)
			rc = -errno;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return rc;
}
