/*
 * schedule.h - when the master must look again though nothing happens.
 */
#ifndef WSGID_MASTER_SCHEDULE_H
#define WSGID_MASTER_SCHEDULE_H

#include <stdint.h>

struct master;

/* When the loop must turn again though nothing happens; NEVER for "when
 * something happens". */
int64_t schedule_next(const struct master *m);

#endif
