/*
 * activation.h - the sockets that systemd passes, and which Listen each is for.
 */
#ifndef WSGID_MASTER_ACTIVATION_H
#define WSGID_MASTER_ACTIVATION_H

#include <stdbool.h>

struct config;
struct err;
struct generation;
struct master;

/* Does systemd pass any? */
bool activation_is_due(void);

/* Take the sockets that systemd passes. */
int activation_take(struct master *m, struct err *err);

/* Take one over that was passed to the old master; asked is as its generation
 * had it. */
int activation_inherit(
	struct master *m, int fd, const char *asked, struct err *err);
void activation_close(struct master *m);

/* Name the server after the first of them, where they take the place of a
 * Listen that nobody has written. */
int activation_name(const struct master *m, struct config *c, struct err *err);

/* Is what stands behind Listen the name of such a socket, and a right one? */
bool activation_names(const char *listen);
int activation_check(const char *listen, struct err *err);

/* Give g those that its configuration asks for.  A negative errno and a
 * sentence where one is missing, or nobody's. */
int activation_share(struct master *m, struct generation *g, struct err *err);

#endif
