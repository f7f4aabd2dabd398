/*
 * connected.c - connections that the application has open.  See connected.h.
 */
#include "child/connected.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"

/* A pair has no name, and datagrams do not mix. */
static bool
find_peer(int fd, struct address *ret)
{
	int type = 0;
	socklen_t size = sizeof(type);

	ret->len = sizeof(ret->un);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
		type != SOCK_STREAM ||
		getpeername(fd, &ret->any, &ret->len) < 0)
		return false;
	switch (ret->any.sa_family) {
	case AF_INET:
	case AF_INET6:
		return true;
	case AF_UNIX:
		return ret->len > sizeof(ret->any.sa_family);
	default:
		return false;
	}
}

static bool
is_named(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
		if ((at == list || at[-1] == ' ') &&
			(at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

bool
connected_name(int from, char *to, size_t size)
{
	DIR *all = opendir("/proc/self/fd");
	const struct dirent *each;
	size_t len = 0;

	*to = '\0';
	while (all != NULL && len < size && (each = readdir(all)) != NULL) {
		char *end, text[ADDRESS_TEXT];
		long fd = strtol(each->d_name, &end, 10);
		struct address peer;

		if (*end != '\0' || fd < from || !find_peer((int)fd, &peer))
			continue;
		address_format(&peer, text);
		if (is_named(to, text))
			continue;
		len += (size_t)snprintf(to + len, size - len, "%s%s",
			len > 0 ? ", " : "", text);
	}
	if (all != NULL)
		closedir(all);
	return len > 0;
}
