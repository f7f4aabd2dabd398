/*
 * target.h - the running server that a verb is about, and waiting for it.
 */
#ifndef WSGID_WSGICTL_TARGET_H
#define WSGID_WSGICTL_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "wsgictl/ask.h"
#include "wsgictl/instance.h"

struct command;
struct err;

struct target {
	struct instances all;
	const struct instance *one;
};

/* The server that is meant, whether it runs or not.  EXIT_DONE, or another
 * exit code and a sentence.  target_fini in any case. */
int target_find(struct target *ret, const struct command *c, struct err *err);

/* The same, and it runs and can be asked. */
int target_find_running(
	struct target *ret, const struct command *c, struct err *err);
void target_fini(struct target *t);

/* Ask; effect_ms as of ask_open.  EXIT_DONE or another exit code and a
 * sentence. */
int target_ask(const struct target *t, const char *const *words,
	int64_t effect_ms, struct ask *ret, struct err *err);

/* That of what a master does before it answers, or nearly so. */
int64_t target_soon_ms(const struct command *c);

/* The sentence of a request that got no answer: why is what ask_line has
 * returned.  The exit code. */
int target_no_answer(
	const struct target *t, const struct ask *a, int why, struct err *err);

/* When the command's --wait is over; ms left of it, -1 for no limit. */
int64_t target_wait_end(const struct command *c);
int64_t target_wait_left(int64_t end_ns);

#endif
