/*
 * workdir.h - the directory that the program was started in, by the name that the
 * shell had for it.
 *
 * Who deploys by a link, as in "cd /srv/shop/current && wsgid shop:app", wants what
 * the link leads to at each reload, and a process has only the directory that it led
 * to once.  The process stays there; whatever is relative goes by this.
 */
#ifndef WSGID_BASE_WORKDIR_H
#define WSGID_BASE_WORKDIR_H

/* Once, at the start: $PWD is that name if it leads to the current directory by a
 * link; or it is what a program said that has executed this one. */
void workdir_note(void);

/* That name, or NULL if there is none. */
const char *workdir_name(void);

/* Where it leads now, without links, or where the process is if it leads nowhere or
 * there is none: a new string, or NULL and errno. */
char *workdir_now(void);

/* For the program that this one is about to execute in its place: 0 or a negative
 * errno. */
int workdir_bequeath(void);

/* It could not be executed: this one goes on. */
void workdir_keep(void);

#endif
