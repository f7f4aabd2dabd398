/*
 * answers.h - what the control socket is asked for, a function for each verb.
 */
#ifndef WSGID_MASTER_ANSWERS_H
#define WSGID_MASTER_ANSWERS_H

#include "base/str.h"

struct client;
struct master;

/* Answer its request, a line without its newline. */
void answers_give(struct master *m, struct client *c, struct str text);

/* One that waits for the end of the server, which is now. */
void answers_end_stop(struct master *m, struct client *c);

/* One that waits for its logs: if that is over. */
void answers_end_logs(struct master *m, struct client *c);

#endif
