/*
 * reap.h - what the death of a child means.
 */
#ifndef WSGID_MASTER_REAP_H
#define WSGID_MASTER_REAP_H

struct master;

void reap_children(struct master *m);

/* Make siblings of the dead look for clients, when that is due. */
void reap_nudge(struct master *m);

#endif
