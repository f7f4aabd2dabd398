/*
 * spent.c - Python objects of responses that are out.  See spent.h.
 */
#include "child/spent.h"

#include <assert.h>
#include <stddef.h>

#include "base/defs.h"
#include "child/connection.h"
#include "child/engine.h"
#include "python/app.h"

void
spent_add(struct engine *e, struct connection *c)
{
	if (LIKELY(c->held == NULL))
		return;
	assert(c->spent == NULL);
	c->spent = c->held;
	c->held = NULL;
	c->next_spent = e->spent;
	e->spent = c;
}

void
spent_drop(struct engine *e)
{
	struct connection *c;

	while ((c = e->spent) != NULL) {
		void *object = c->spent;

		e->spent = c->next_spent;
		c->spent = NULL;
		app_drop(e->set.app, object);
	}
}
