/*
 * received.h - the configuration that the master left to this process.
 */
#ifndef WSGID_CHILD_RECEIVED_H
#define WSGID_CHILD_RECEIVED_H

struct config;
struct err;

/* Read what is behind INHERIT_CONFIG, and settle it: 0 and *ret, or a negative
 * errno and a sentence. */
int received_config(struct config **ret, struct err *err);

#endif
