/*
 * workdir.h - the directory that the program was started in, by the name that the
 * shell had for it.
 *
 * Who deploys by a link, as in "cd /srv/shop/current && wsgid shop:app", wants what
 * the link leads to at each reload, and a process has only the directory that it led
 * to once.
 */
#ifndef WSGID_BASE_WORKDIR_H
#define WSGID_BASE_WORKDIR_H

/* At the start: $PWD is the name if it leads to the current directory.  Not for two
 * threads at once, nor is what follows. */
void workdir_note(void);

/* Go where that name leads now; nothing where there is none, or it leads nowhere. */
void workdir_follow(void);

#endif
