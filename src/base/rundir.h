/*
 * rundir.h - where a server leaves its pid, its control socket and its
 * scoreboard when nobody has said where.
 *
 * The master takes the first place that will do; who looks for a server
 * looks in all of them.
 */
#ifndef WSGID_BASE_RUNDIR_H
#define WSGID_BASE_RUNDIR_H

enum rundir_place {
	RUNDIR_RUNTIME, /* $RUNTIME_DIRECTORY: systemd made it */
	RUNDIR_SYSTEM,  /* /run/wsgid, for root */
	RUNDIR_USER,    /* $XDG_RUNTIME_DIR/wsgid, for everybody else */
	RUNDIR_PLACES,
};

/* The directory, whether it is there or not, as a new string; NULL where the
 * environment names none, or memory is short. */
char *rundir_place(enum rundir_place place);

#endif
