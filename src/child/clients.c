/*
 * clients.c - which descriptors are those of clients.  See clients.h.
 *
 * A bit for each descriptor up to the hard limit; pages of it that are never
 * touched cost no memory, however high the limit is.
 */
#include "child/clients.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

enum {
	BITS = 64,
	MOST = 1 << 30, /* where there is no limit: more than the kernel has */
};

struct name {
	struct sockaddr_storage address;
	socklen_t len;
};

struct clients {
	struct name *listeners;
	size_t n_listeners;
	size_t n_words;
	_Atomic uint64_t words[];
};

/* The name of a stream socket; false where fd is none. */
static bool
find_name(int fd, struct name *ret)
{
	socklen_t len = sizeof(int);
	int type;

	ret->len = sizeof(ret->address);
	memset(&ret->address, 0, sizeof(ret->address));
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM &&
	       getsockname(fd, (struct sockaddr *)&ret->address, &ret->len) ==
		       0;
}

static int
name_listeners(struct clients *c, const int *listeners, size_t n)
{
	c->listeners = calloc(n + 1, sizeof(*c->listeners));
	if (c->listeners == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		c->n_listeners +=
			find_name(listeners[i], &c->listeners[c->n_listeners]);
	return 0;
}

int
clients_create(struct clients **ret, const int *listeners, size_t n_listeners,
	struct err *err)
{
	struct rlimit limit = {.rlim_max = MOST};
	struct clients *clients;
	size_t n_words;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max > MOST)
		limit.rlim_max = MOST;
	n_words = limit.rlim_max / BITS + 1;
	clients = calloc(1, sizeof(*clients) + n_words * sizeof(uint64_t));
	if (clients == NULL ||
		name_listeners(clients, listeners, n_listeners) < 0) {
		free(clients);
		return err_set(err, ENOMEM, "clients");
	}
	clients->n_words = n_words;
	*ret = clients;
	return 0;
}

void
clients_destroy(struct clients *clients)
{
	if (clients == NULL)
		return;
	free(clients->listeners);
	free(clients);
}

static _Atomic uint64_t *
word_of(struct clients *clients, int fd)
{
	size_t i = (size_t)fd / BITS;

	return i < clients->n_words ? &clients->words[i] : NULL;
}

static uint64_t
bit_of(int fd)
{
	return UINT64_C(1) << ((unsigned)fd % BITS);
}

void
clients_add(struct clients *clients, int fd)
{
	_Atomic uint64_t *word = word_of(clients, fd);

	if (word != NULL)
		atomic_fetch_or(word, bit_of(fd));
}

void
clients_remove(struct clients *clients, int fd)
{
	_Atomic uint64_t *word = word_of(clients, fd);

	if (word != NULL)
		atomic_fetch_and(word, ~bit_of(fd));
}

static unsigned
port_of(const struct name *name)
{
	const struct sockaddr_in *in4 = (const void *)&name->address;
	const struct sockaddr_in6 *in6 = (const void *)&name->address;

	return name->address.ss_family == AF_INET ? in4->sin_port
						  : in6->sin6_port;
}

/* Whatever the listener's address: a wildcard's clients have another one. */
static bool
came_to(const struct name *listener, const struct name *client)
{
	if (listener->address.ss_family == AF_UNIX)
		return client->len == listener->len &&
		       memcmp(&client->address, &listener->address,
			       client->len) == 0;
	return (client->address.ss_family == AF_INET ||
		       client->address.ss_family == AF_INET6) &&
	       port_of(client) == port_of(listener);
}

static bool
is_client(const struct clients *clients, int fd)
{
	struct name name;

	if (!find_name(fd, &name))
		return false;
	for (size_t i = 0; i < clients->n_listeners; i++)
		if (came_to(&clients->listeners[i], &name))
			return true;
	return false;
}

static void
abandon_strangers(const struct clients *clients)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *entry;

	while (all != NULL && (entry = readdir(all)) != NULL) {
		int fd = atoi(entry->d_name); /* "." is 0, and no client */

		if (is_client(clients, fd))
			close(fd);
	}
	if (all != NULL)
		closedir(all);
}

static void
abandon_known(const struct clients *clients)
{
	for (size_t i = 0; i < clients->n_words; i++) {
		uint64_t word = clients->words[i];

		while (word != 0) {
			int bit = __builtin_ctzll(word);

			close((int)(i * BITS) + bit);
			word &= word - 1;
		}
	}
}

void
clients_abandon(const struct clients *clients)
{
	if (clients == NULL)
		return;
	abandon_known(clients);
	abandon_strangers(clients);
}
