/*
 * renew.h - what children share is made anew, and all of them with it.
 */
#ifndef WSGID_MASTER_RENEW_H
#define WSGID_MASTER_RENEW_H

struct master;

/* Make anew what is broken, and have all children replaced that hold it. */
void renew_shared(struct master *m, unsigned broken);

#endif
