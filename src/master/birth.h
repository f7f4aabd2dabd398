/*
 * birth.h - a child that a template was told to fork, until it has spoken.
 */
#ifndef WSGID_MASTER_BIRTH_H
#define WSGID_MASTER_BIRTH_H

#include <stdbool.h>

struct channel_message;
struct child;
struct master;

/* Has a template been told to fork it, and we do not know its pid yet? */
bool birth_expected(const struct child *c);

/* What such a child, or its template on its channel, says. */
void birth_hear(struct master *m, struct child *c,
	const struct channel_message *message);

/* It will never be. */
void birth_lost(struct master *m, struct child *c);

/* Somebody unknown has died: let those who are expected speak. */
void birth_listen(struct master *m);

#endif
