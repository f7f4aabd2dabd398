/*
 * skip.h - leaving out a unit test that this machine cannot run.
 *
 * A test that is skipped without a word looks as if it had passed, so the
 * reason is printed with it: "left out: only root can change the user".
 */
#ifndef WSGID_TESTS_SUPPORT_SKIP_H
#define WSGID_TESTS_SUPPORT_SKIP_H

/* End the running test as skipped; the reason is printf's format and what
 * belongs to it.  For files that include cmocka.h. */
#define SKIP(...)                            \
	do {                                 \
		print_message("left out: "); \
		print_message(__VA_ARGS__);  \
		print_message("\n");         \
		skip();                      \
	} while (0)

#endif
