/*
 * connected.h - connections that the application has open.
 *
 * What a template is connected with, each of its children is connected with, by
 * one and the same socket: a database then hears them all at once and takes
 * them for one.
 */
#ifndef WSGID_CHILD_CONNECTED_H
#define WSGID_CHILD_CONNECTED_H

#include <stdbool.h>
#include <stddef.h>

/* Stream sockets of this process from this number on that have a peer with an
 * address, by theirs, each once: "10.0.0.5:5432, unix:/run/redis.sock".  False
 * where there is none, or where nothing can be found out. */
bool connected_name(int from, char *to, size_t size);

#endif
