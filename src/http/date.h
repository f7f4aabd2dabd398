/*
 * date.h - dates as HTTP writes them (RFC 9110 section 5.6.7).
 */
#ifndef WSGID_HTTP_DATE_H
#define WSGID_HTTP_DATE_H

#include <stdint.h>

enum { DATE_SIZE = 30 }; /* 29 characters and a NUL */

/* "Thu, 26 Nov 2026 04:19:12 GMT" for seconds since 1970. */
void date_format(char to[DATE_SIZE], int64_t seconds);

#endif
