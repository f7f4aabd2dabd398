/*
 * application.c - what of an application has nothing to do in the unit tests
 * of child/.
 *
 * The rest of python/app.h is defined by scripted.c, or by a test itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "python/app.h"

void
app_describe_pieces(
	struct app *app, const struct app_exchange *x, char *to, size_t size)
{
	(void)app;
	(void)x;
	(void)to;
	(void)size;
	fail_msg("there is no RequestTimeout here");
}

int
app_copy_status(const struct app *app)
{
	(void)app;
	return 0;
}

void
app_settle(struct app *app)
{
	(void)app;
}

int
app_show_failure(struct app *app, const char *sentence, bool is_our_own,
	struct err *err)
{
	(void)is_our_own;
	(void)app;
	(void)sentence;
	(void)err;
	return 0;
}

unsigned long long
app_libraries_loaded(void)
{
	return 0;
}

int
app_check_libraries(bool has_own, char *library, size_t size, struct err *err)
{
	(void)has_own;
	(void)library;
	(void)size;
	(void)err;
	return 0;
}

bool
app_has_gil(void)
{
	return true;
}

void
app_write_stacks(struct app *app)
{
	(void)app;
	fail_msg("there is a GIL here");
}

bool
app_is_inside(void)
{
	return false;
}

void
app_with_gil(struct app *app, void (*what)(void *arg), void *arg)
{
	app_enter(app);
	what(arg);
	app_leave(app);
}
