/*
 * door.h - the file of the control socket, and who may come in by it.
 */
#ifndef WSGID_MASTER_DOOR_H
#define WSGID_MASTER_DOOR_H

#include <stdbool.h>
#include <sys/types.h>

struct config;
struct control;
struct err;

enum { CONTROL_CLIENTS = 16 }; /* at once */

/* Make the socket file at path, for those who may control the server. */
int door_open(struct control *control, int fd, const char *path,
	const struct config *c, struct err *err);
void door_remove(const struct control *control);

/* May who is behind this connection, and who is it? */
bool door_admits(int fd, const struct config *c, uid_t *uid);

/* ControlGroup, whose members may ask the master and read its files; 0 when
 * there is none. */
gid_t door_group(const struct config *c);

/* The sentence for a master that may not give its files to ControlGroup.
 * -EPERM. */
int door_no_member(const struct config *c, struct err *err);

#endif
