/*
 * wanted.h - which server a command line of wsgid would start.
 */
#ifndef WSGID_WSGICTL_WANTED_H
#define WSGID_WSGICTL_WANTED_H

#include <stddef.h>

struct config;
struct err;

/* The configuration that wsgid would make of these words, settled as far as
 * it goes; its mistakes are for wsgid to tell.  NULL and a sentence when
 * memory is short. */
struct config *wanted_config(
	const char *const *words, size_t n, struct err *err);

#endif
