/*
 * orphan.h - what a child does at the moment it loses its master.
 *
 * A new master wants the ports at once, and a child that is busy reads no
 * channel.  So the kernel tells it, by a signal at the death of its parent,
 * and the handler lets nobody in any more, and sets an end to what is under way;
 * all else the loop does when it finds the end of the channel.
 */
#ifndef WSGID_CHILD_ORPHAN_H
#define WSGID_CHILD_ORPHAN_H

#include <stddef.h>
#include <stdint.h>

struct orphan_settings {
	int channel; /* to the master: at its end when the master is gone */
	const int *listeners;
	size_t n_listeners;
	/* In memory that the master writes: not 0 while somebody else goes on
	 * with the listeners, such as systemd, or a new master. */
	const volatile uint32_t *shared;
	int64_t timeout_ms; /* to finish in, then SIGKILL; 0: as long as it
			     * takes */
};

/* From now on.  After the last change of user, which would undo it.  What
 * settings point to must stay. */
void orphan_prepare(const struct orphan_settings *settings);

/* The master is gone: shut the listeners unless they are shared, and be gone
 * when the time to finish is over.  What the handler does, for when its signal
 * did not come; the first call counts. */
void orphan_begin(void);

#endif
