/*
 * user.h - as whom the children run.
 */
#ifndef WSGID_MASTER_USER_H
#define WSGID_MASTER_USER_H

struct buf;
struct config;

/* As whom children shall run, put into the configuration.  What is wrong with
 * User and Group becomes its messages. */
void user_settle(struct config *c, struct buf *notices);

#endif
