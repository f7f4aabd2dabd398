/*
 * event.h - what has completed becomes a state of its connection.
 */
#ifndef WSGID_CHILD_EVENT_H
#define WSGID_CHILD_EVENT_H

struct engine;
struct io_event;

/* Of what the engine has asked io for, this has happened.  Without the GIL, of
 * which it uses nothing. */
void event_happened(struct engine *e, const struct io_event *event);

#endif
