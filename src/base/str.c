/*
 * str.c - slices.  See str.h.
 */
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static unsigned char
fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
str_same_letters(const char *a, const char *b, size_t len)
{
	if (len == 0 ||
		memcmp(a, b, len) == 0) /* as names are mostly written */
		return true;
	for (size_t i = 0; i < len; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct str
str_next_element(struct str *list)
{
	struct str element = *list;
	const char *comma;

	if (list->p == NULL)
		return *list;
	comma = list->len > 0 ? memchr(list->p, ',', list->len) : NULL;
	if (comma == NULL) {
		*list = (struct str){NULL, 0};
		return str_trim(element);
	}
	element.len = (size_t)(comma - element.p);
	list->p = comma + 1;
	list->len -= element.len + 1;
	return str_trim(element);
}

int
str_to_u64(struct str s, unsigned long long *ret)
{
	unsigned long long value = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.p[i] - '0';

		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
			__builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

char *
str_put_decimal(char *to, uint64_t n)
{
	char digits[STR_DECIMAL];
	size_t at = sizeof(digits), len;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	len = sizeof(digits) - at;
	return (char *)memcpy(to, digits + at, len) + len;
}
