/*
 * entrance.h - may the children's user go where their Python is?
 */
#ifndef WSGID_MASTER_ENTRANCE_H
#define WSGID_MASTER_ENTRANCE_H

struct config;
struct facts;

/* May the user of the children go where this Python is?  What is in the way
 * becomes a message of the configuration. */
void entrance_check(struct config *c, const struct facts *facts);

#endif
