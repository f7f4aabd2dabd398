/*
 * loaded_as.c - a library that writes down as whom it was loaded.
 *
 * A line of the file that LOADED_AS names is the effective user's number.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void
write_down(void)
{
	const char *path = getenv("LOADED_AS");
	int fd = path != NULL ? open(path, O_WRONLY | O_APPEND) : -1;

	if (fd >= 0)
		dprintf(fd, "%d\n", (int)geteuid());
	if (fd >= 0)
		close(fd);
}
