/*
 * lifecycle.c - the life of a child as a table, and what its death means.
 *
 * What a child says may come late or twice, because it was told to go in the
 * meantime or because it lies; so its READY is never a bug of the master,
 * while to fork into a slot that has a child is one.
 */
#include "mpm/mpm.h"

#include <sys/wait.h>

#define NO   (-1)
#define VACA LIFECYCLE_VACANT
#define STAR LIFECYCLE_STARTING
#define REDY LIFECYCLE_READY
#define DRAI LIFECYCLE_DRAINING
#define STOP LIFECYCLE_STOPPING

/* clang-format off */
static const signed char table[LIFECYCLE_STATES][LIFECYCLE_EVENTS] = {
	/*                        FORKED READY  RETIRE STOP  DIED */
	[LIFECYCLE_VACANT]   = { STAR,  NO,    NO,    NO,   NO   },
	[LIFECYCLE_STARTING] = { NO,    REDY,  DRAI,  STOP, VACA },
	[LIFECYCLE_READY]    = { NO,    REDY,  DRAI,  STOP, VACA },
	[LIFECYCLE_DRAINING] = { NO,    DRAI,  DRAI,  STOP, VACA },
	[LIFECYCLE_STOPPING] = { NO,    STOP,  STOP,  STOP, VACA },
};
/* clang-format on */

int
lifecycle_after(enum lifecycle state, enum lifecycle_event event)
{
	if ((unsigned)state >= LIFECYCLE_STATES ||
		(unsigned)event >= LIFECYCLE_EVENTS)
		return -1;
	return table[state][event];
}

const char *
lifecycle_name(enum lifecycle state)
{
	static const char *const names[LIFECYCLE_STATES] = {
		[LIFECYCLE_VACANT] = "vacant",
		[LIFECYCLE_STARTING] = "starting",
		[LIFECYCLE_READY] = "ready",
		[LIFECYCLE_DRAINING] = "draining",
		[LIFECYCLE_STOPPING] = "stopping",
	};

	return (unsigned)state < LIFECYCLE_STATES ? names[state] : "unknown";
}

/* A child leaves by itself only with a status of the list; any other is the
 * application's doing (os._exit), and may well be done again at once. */
static enum lifecycle_verdict
verdict_of_exit(int exit_status)
{
	switch (exit_status) {
	case CHILD_EXIT_OK:
	case CHILD_EXIT_CUT:
	case CHILD_EXIT_DEPRIVED:
		return VERDICT_NORMAL;
	case CHILD_EXIT_APPLICATION:
		return VERDICT_APPLICATION;
	case CHILD_EXIT_SICK:
		return VERDICT_SICK;
	case CHILD_EXIT_FATAL:
	case CHILD_EXIT_CONFIG:
		return VERDICT_FATAL;
	default:
		return VERDICT_CRASHED;
	}
}

enum lifecycle_verdict
lifecycle_verdict(int wait_status, bool told)
{
	/* How somebody goes who was asked to is no reason for anything; he
	 * may have been killed for taking too long. */
	if (told)
		return VERDICT_NORMAL;
	/* Out of memory, the kernel sends the SIGKILL that we did not. */
	if (!WIFEXITED(wait_status))
		return VERDICT_CRASHED;
	return verdict_of_exit(WEXITSTATUS(wait_status));
}
