/*
 * kernel.h - what the kernel says in a small file, as those of /proc and /sys are.
 */
#ifndef WSGID_BASE_KERNEL_H
#define WSGID_BASE_KERNEL_H

#include <stddef.h>
#include <sys/types.h>

/* Its text, or the first size - 1 bytes of it, and a NUL: how many these are, or a
 * negative errno, and then the text is "". */
ssize_t kernel_read(const char *path, char *to, size_t size);

/* The first line alone, without its end. */
ssize_t kernel_read_line(const char *path, char *to, size_t size);

#endif
