/*
 * listens.h - can a server have all that its Listen lines ask for?
 */
#ifndef WSGID_MASTER_LISTENS_H
#define WSGID_MASTER_LISTENS_H

struct config;

/* Is what stands behind each Listen an address, and can one server have them
 * all?  Whether somebody else has one is no mistake in the configuration. */
void listens_check(struct config *c);

#endif
