/*
 * apart.h - what a process of the application's gives up before its exec.
 */
#ifndef WSGID_MASTER_APART_H
#define WSGID_MASTER_APART_H

struct err;
struct generation;

/* In a forked process that is about to execute a program of g's children: be as
 * little as that may be.  0, or a negative errno and a sentence, and then it must
 * not go on. */
int apart_go(const struct generation *g, struct err *err);

#endif
