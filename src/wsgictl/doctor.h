/*
 * doctor.h - what "wsgid --doctor" has found, for people and for programs.
 *
 * It comes as lines "key: value", a key once for each of its values.
 */
#ifndef WSGID_WSGICTL_DOCTOR_H
#define WSGID_WSGICTL_DOCTOR_H

#include <stdbool.h>

struct buf;

/* Append; 0 or -ENOMEM. */
int doctor_text(struct buf *to, const char *findings);
int doctor_json(struct buf *to, const char *findings, bool well);

#endif
