/*
 * status.h - reason phrases.
 */
#ifndef WSGID_HTTP_STATUS_H
#define WSGID_HTTP_STATUS_H

/* "Not Found" for 404; "Unknown" for a number that has no phrase. */
const char *status_reason(int status);

#endif
