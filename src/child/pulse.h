/*
 * pulse.h - can Python code run in this child?
 *
 * Python lets one thread run at a time, and an extension that waits for
 * something without letting go of the GIL stops all of them, our workers too.
 * From outside such a child looks like one that works hard.  So a thread takes
 * the GIL now and then, and the page says when it last had it.
 */
#ifndef WSGID_CHILD_PULSE_H
#define WSGID_CHILD_PULSE_H

#include <stdint.h>

struct app;
struct pulse;
struct wsgid_page;

/* Begin: ten times in timeout_ms, at most every 30 s, the page's gil_us and
 * gil_monotonic_us are set to the time.  Without a thread they are 0, which is
 * said in the log; NULL then. */
struct pulse *pulse_start(
	struct app *app, int64_t timeout_ms, struct wsgid_page *page);

/* End; to be called with the GIL, which is given up meanwhile.  NULL is
 * allowed. */
void pulse_stop(struct pulse *p);

#endif
