/*
 * due.h - what is due now, and when the next thing will be.
 */
#ifndef WSGID_CHILD_DUE_H
#define WSGID_CHILD_DUE_H

#include <stdint.h>

struct engine;

/* What has waited too long: a client that sends no request, or not the rest of
 * one, or does not take its response. */
void due_clients(struct engine *e);

/* This child, which may be too old by now, or too large: recycle.h. */
void due_child(struct engine *e);

/* Until the first of them is, in ns; -1: never. */
int64_t due_in_ns(const struct engine *e);

#endif
