/*
 * no_memfd.c - memory files are refused, as by a strict seccomp profile: for LD_PRELOAD.
 */
#include <errno.h>
#include <sys/mman.h>

int
memfd_create(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	errno = EPERM;
	return -1;
}
