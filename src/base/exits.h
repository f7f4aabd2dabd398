/*
 * exits.h - how a child, and a master, say by their exit status why they left.
 *
 * The numbers are Apache's where Apache has one (APEXIT_CHILDSICK,
 * APEXIT_CHILDFATAL), sysexits(3)'s for the configuration.
 */
#ifndef WSGID_BASE_EXITS_H
#define WSGID_BASE_EXITS_H

enum {
	CHILD_EXIT_OK = 0,
	CHILD_EXIT_APPLICATION = 1, /* the application cannot be imported */
	CHILD_EXIT_SICK = 7,    /* a resource is short; later may be better */
	CHILD_EXIT_FATAL = 15,  /* every other child would fail as well */
	CHILD_EXIT_CUT = 75,    /* its time was over, and requests were not */
	CHILD_EXIT_DEPRIVED = 76, /* the application has closed our descriptors */
	CHILD_EXIT_CONFIG = 78, /* configuration or installation is wrong */
};

#endif
