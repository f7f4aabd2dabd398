/*
 * scale.h - another number of processes for the server that runs.
 */
#ifndef WSGID_MASTER_SCALE_H
#define WSGID_MASTER_SCALE_H

struct err;
struct master;

/* Have n processes until the next reload; control_scaled tells the end of it.
 * 0, or a negative errno and why not. */
int scale_begin(struct master *m, long n, struct err *err);
void scale_turn(struct master *m);

#endif
