/*
 * backlog.h - who waits in the queue of a listening socket.
 */
#ifndef WSGID_NET_BACKLOG_H
#define WSGID_NET_BACKLOG_H

#include <stdint.h>

struct backlog {
	uint32_t waiting; /* connections that nobody has accepted yet */
	uint32_t limit;   /* of ListenBacklog, somaxconn may have left less */
};

/* As the kernel has it at this moment.  0 or a negative errno: -EINVAL for a socket that
 * does not listen; of a unix: one also where the kernel's unix_diag is missing, or
 * netlink is forbidden. */
int backlog_look(int fd, struct backlog *ret);

#endif
