/*
 * values_priv.h - what the files about values share.
 */
#ifndef WSGID_CONFIG_VALUES_PRIV_H
#define WSGID_CONFIG_VALUES_PRIV_H

#include "config/values.h"

/* The most of one line, where a directive takes any number. */
enum { VALUE_WORDS = 1000 };

/* Are there as many words as the directive takes, and each fit to be one? */
int value_check_words(const struct directive_input *in, size_t least,
	size_t most, struct err *err);

/* A copy of text that lives as long as the arena, and a text as it is written. */
int value_keep(const char **ret, struct arena *arena, const char *text,
	size_t len, struct err *err);
int value_write_text(
	const struct directive *row, const void *target, struct buf *out);

/* All of text as a time; 0, -EINVAL or -ERANGE.  And back. */
int value_read_time(const char *text, int64_t *ret);
int value_write_time(int64_t ms, struct buf *out);

/* "On": one of enum config_proxy_protocol in a Listen. */
const char *value_proxy_protocol(int which);

#endif
