/*
 * holder.c - who has the address that we wanted.
 *
 * "Address already in use" is the most frequent failure of a server's start,
 * and the next thing an administrator asks is by whom.  /proc/net lists the
 * listening sockets with their inode numbers, /proc/PID/fd the sockets of
 * each process by the same numbers.  All of it may change while we look;
 * what comes out is for a sentence and nothing else.
 */
#include "net/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"

enum { TCP_STATE_LISTEN = 0x0a, UNIX_LISTENS = 0x10000 };

/* An address of either family, to be compared with one of the other. */
struct place {
	bool is_ipv6, any;
	unsigned port;
	struct in6_addr host; /* IPv4: in the last four bytes */
};

static void
place_of(const struct address *a, struct place *ret)
{
	*ret = (struct place){.port = (unsigned)address_port(a)};
	if (a->any.sa_family == AF_INET6) {
		ret->is_ipv6 = !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
		ret->host = a->in6.sin6_addr;
		if (!ret->is_ipv6)
			memset(&ret->host, 0, 12);
	} else {
		memcpy(&ret->host.s6_addr[12], &a->in4.sin_addr, 4);
	}
	ret->any = IN6_IS_ADDR_UNSPECIFIED(&ret->host);
}

/* Hexadecimal words of 32 bits, each in the machine's own order. */
static bool
parse_host(const char *hex, struct place *ret)
{
	size_t words = strlen(hex) / 8;
	char word[9] = "";

	if (words != 1 && words != 4)
		return false;
	for (size_t i = 0; i < words; i++) {
		uint32_t value;

		memcpy(word, hex + 8 * i, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(&ret->host.s6_addr[4 * (4 - words + i)], &value, 4);
	}
	ret->is_ipv6 = words == 4 && !IN6_IS_ADDR_V4MAPPED(&ret->host);
	if (!ret->is_ipv6)
		memset(&ret->host, 0, 12);
	ret->any = IN6_IS_ADDR_UNSPECIFIED(&ret->host);
	return true;
}

/* Can the two not be bound at once?  [::] takes IPv4 too. */
static bool
collide(const struct place *a, const struct place *b)
{
	if (a->port != b->port)
		return false;
	if (a->is_ipv6 != b->is_ipv6)
		return (a->is_ipv6 && a->any) || (b->is_ipv6 && b->any);
	return a->any || b->any ||
	       memcmp(&a->host, &b->host, sizeof(a->host)) == 0;
}

/* "  0: 0100007F:1F90 00000000:0000 0A ...", inode in the tenth column. */
static unsigned long
inode_in_tcp_line(const char *line, const struct place *wanted)
{
	struct place here = {0};
	char host[33];
	unsigned state;
	unsigned long inode;

	if (sscanf(line,
		    "%*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %x %*x:%*x "
		    "%*x:%*x %*x %*u %*u %lu",
		    host, &here.port, &state, &inode) != 4)
		return 0;
	if (state != TCP_STATE_LISTEN || !parse_host(host, &here))
		return 0;
	return collide(&here, wanted) ? inode : 0;
}

static unsigned long
find_tcp_inode(const char *table, const struct place *wanted)
{
	FILE *f = fopen(table, "re");
	unsigned long inode = 0;
	char line[512];

	if (f == NULL)
		return 0;
	while (inode == 0 && fgets(line, sizeof(line), f) != NULL)
		inode = inode_in_tcp_line(line, wanted);
	fclose(f);
	return inode;
}

/* "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x". */
static unsigned long
find_unix_inode(const struct address *a)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char text[ADDRESS_TEXT], line[512];
	const char *wanted = text + strlen("unix:");
	unsigned long inode = 0;

	if (f == NULL)
		return 0;
	address_format(a, text);
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long number;
		unsigned flags;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu %n", &flags,
			    &number, &at) < 2 ||
			at == 0 || (flags & UNIX_LISTENS) == 0)
			continue;
		if (strcmp(line + at, wanted) == 0) {
			inode = number;
			break;
		}
	}
	fclose(f);
	return inode;
}

static bool
holds(const char *pid, unsigned long inode)
{
	char path[64], wanted[48], link[48];
	struct dirent *entry;
	bool found = false;
	DIR *fds;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	if (fds == NULL)
		return false;
	while (!found && (entry = readdir(fds)) != NULL) {
		ssize_t n = readlinkat(
			dirfd(fds), entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = strcmp(link, wanted) == 0;
	}
	closedir(fds);
	return found;
}

/* Ourselves, although our children have our sockets too; else the first in
 * the list: a server's master is mostly older than its children. */
static pid_t
find_process(unsigned long inode)
{
	struct dirent *entry;
	pid_t pid = 0;
	DIR *proc;

	if (holds("self", inode))
		return getpid();
	proc = opendir("/proc");
	if (proc == NULL)
		return 0;
	while (pid == 0 && (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			holds(entry->d_name, inode))
			pid = (pid_t)strtol(entry->d_name, NULL, 10);
	closedir(proc);
	return pid;
}

static void
read_program(pid_t pid, char program[HOLDER_PROGRAM])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (kernel_read_line(path, program, HOLDER_PROGRAM) <= 0)
		snprintf(program, HOLDER_PROGRAM, "a program");
}

void
holder_title(pid_t pid, char title[HOLDER_TITLE])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	n = kernel_read(path, title, HOLDER_TITLE);
	n = n > 0 ? n : 0;
	while (n > 0 && (title[n - 1] == '\0' || title[n - 1] == ' '))
		n--;
	title[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (title[i] == '\0')
			title[i] = ' ';
		else if (title[i] < ' ' || title[i] > '~')
			title[i] = '?';
}

pid_t
holder_find(const struct address *a, char program[HOLDER_PROGRAM])
{
	unsigned long inode;
	pid_t pid;

	if (a->any.sa_family == AF_UNIX) {
		inode = find_unix_inode(a);
	} else {
		struct place wanted;

		place_of(a, &wanted);
		inode = find_tcp_inode("/proc/net/tcp", &wanted);
		if (inode == 0)
			inode = find_tcp_inode("/proc/net/tcp6", &wanted);
	}
	pid = inode != 0 ? find_process(inode) : 0;
	if (pid != 0)
		read_program(pid, program);
	return pid;
}
