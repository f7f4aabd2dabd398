/*
 * file.h - are two names of the same file?
 *
 * What a name stands for may have been moved, replaced or linked; what a file
 * is says its inode alone.
 */
#ifndef WSGID_BASE_FILE_H
#define WSGID_BASE_FILE_H

#include <stdbool.h>

/* Links are followed; false where one of them is not there. */
bool file_is_same(const char *one, const char *other);

/* Is what fd is open on still what the path leads to? */
bool file_is_at(const char *path, int fd);

#endif
