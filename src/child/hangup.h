/*
 * hangup.h - idle clients of a worker that is stuck when the server stops.
 *
 * For the watcher, while it has the engine.
 */
#ifndef WSGID_CHILD_HANGUP_H
#define WSGID_CHILD_HANGUP_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* Has this child been told to finish, be it that nobody has heard it yet? */
bool hangup_is_due(const struct engine *e);

/* End those that are idle, and have been for as long as a last request is
 * waited for: connection_await_last. */
void hangup_idle(struct engine *e, int64_t now_ns);

#endif
