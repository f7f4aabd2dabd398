/*
 * printable.h - which bytes of somebody else's text may be shown.
 *
 * A terminal obeys control characters, and those of U+0080 to U+009F as well
 * as the first 32; and a few others turn the direction of writing, so that a
 * line says something else than what stands in it.  Letters of every language
 * stay.
 */
#ifndef WSGID_BASE_PRINTABLE_H
#define WSGID_BASE_PRINTABLE_H

#include <stddef.h>

#include "base/str.h"

/* How many bytes the character has that s begins with; 0 when it must not be
 * shown, or is no UTF-8.  s is not empty. */
size_t printable_char(struct str s);

/* Put "?" in the place of each character that must not be shown, but for those
 * of allowed, "\n" say; the text becomes shorter, or stays as long.  Its new
 * length; nothing is put behind it. */
size_t printable_clean(char *text, size_t len, const char *allowed);

/* How much of text there is in size bytes without half a character at the
 * end. */
size_t printable_cut(const char *text, size_t len, size_t size);

#endif
