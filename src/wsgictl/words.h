/*
 * words.h - numbers as people read them.
 */
#ifndef WSGID_WSGICTL_WORDS_H
#define WSGID_WSGICTL_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* "3 d 4 h", "12 min 5 s", "1.5 s", "20 ms": two units at most. */
void words_duration(struct buf *to, int64_t us);

/* "512 B", "1.5 kB", "20 MB": 1024 based, as mod_status has them. */
void words_size(struct buf *to, double bytes);

/* "2026-11-26 04:19:12", local time; "-" for 0. */
void words_time(struct buf *to, int64_t us);

/* "1 request", "2 requests". */
void words_count(struct buf *to, uint64_t n, const char *one, const char *many);

#endif
