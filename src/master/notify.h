/*
 * notify.h - what systemd is told, and the sockets that it passes.
 *
 * All of this does nothing where systemd does not listen, or where wsgid was
 * built without its library.
 */
#ifndef WSGID_MASTER_NOTIFY_H
#define WSGID_MASTER_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

void notify_ready(void);
void notify_reloading(int64_t monotonic_ns);
void notify_stopping(void);
/* Another process than it has started is the server's main one. */
void notify_main_pid(pid_t pid);
void notify_status(const char *text);

/* How many sockets were passed, from descriptor *first on, close-on-exec;
 * the environment that told of them is removed.  0, or a negative errno. */
int notify_passed_sockets(int *first);

#endif
