/*
 * child.h - the life of a child.
 */
#ifndef WSGID_CHILD_CHILD_H
#define WSGID_CHILD_CHILD_H

struct facts;
struct inheritance;

/* Live, from the descriptors that the master left to the last response.  The
 * exit status: one of the CHILD_EXIT_ numbers of base/exits.h. */
int child_run(const struct inheritance *in, const struct facts *facts);

#endif
