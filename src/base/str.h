/*
 * str.h - a slice of somebody else's bytes.
 *
 * A slice owns nothing and has no NUL behind it.  Bytes of a request are
 * slices of the connection's buffer: good until the request has ended.
 */
#ifndef WSGID_BASE_STR_H
#define WSGID_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t len;
};

/* A slice of a string literal. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

/* A slice of a NUL-terminated string; NULL gives an empty slice. */
static inline struct str
str_of(const char *text)
{
	return (struct str){text, text != NULL ? strlen(text) : 0};
}

/* Are the bytes the same?  The second form folds ASCII letters.  Most slices
 * that are compared differ in length, which is seen without a call. */
static inline bool
str_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool str_same_letters(const char *a, const char *b, size_t len);

static inline bool
str_equal_nocase(struct str a, struct str b)
{
	return a.len == b.len && str_same_letters(a.p, b.p, a.len);
}

/* Without spaces and tabs at either end. */
struct str str_trim(struct str s);

/* Cut the first comma-separated element off *list and return it trimmed;
 * a slice whose p is NULL when the list is used up.  Empty elements come as
 * empty slices. */
struct str str_next_element(struct str *list);

/* Parse all of s as an unsigned decimal, nothing but digits.  0, -EINVAL or
 * -ERANGE. */
int str_to_u64(struct str s, unsigned long long *ret);

enum { STR_DECIMAL = 20 }; /* digits of a uint64_t */

/* Write n in decimal, at most STR_DECIMAL digits and no NUL behind them; the end
 * of it. */
char *str_put_decimal(char *to, uint64_t n);

#endif
