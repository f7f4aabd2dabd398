/*
 * children.h - what the children of the running server have in memory.
 */
#ifndef WSGID_WSGICTL_CHILDREN_H
#define WSGID_WSGICTL_CHILDREN_H

struct buf;
struct command;

/* Append it as findings of doctor, which are stronger than those of the process
 * that was only tried.  Nothing where no server runs, or several do. */
void children_describe(const struct command *c, struct buf *findings);

#endif
