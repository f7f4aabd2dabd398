/*
 * fdstore.h - what systemd keeps for the next start: the listeners, with the
 * clients that wait in them, and the board, with what was counted.
 */
#ifndef WSGID_MASTER_FDSTORE_H
#define WSGID_MASTER_FDSTORE_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct err;
struct master;

/* Is what systemd passes under that name something that it has kept for us? */
bool fdstore_is_ours(const char *name);
int fdstore_take(struct master *m, int fd, const char *name, struct err *err);

/* Make those listeners m->before that c still asks for; the others go. */
int fdstore_restore(struct master *m, const struct config *c, struct err *err);

/* Have systemd keep what there is now. */
void fdstore_keep(struct master *m);

/* Does it, as far as is known? */
bool fdstore_keeps(const struct master *m);

/* That listener is another socket now. */
void fdstore_replace(struct master *m, size_t i);
void fdstore_close(struct master *m);

#endif
