/*
 * document.h - a JSON document as text.
 */
#ifndef WSGID_WSGICTL_DOCUMENT_H
#define WSGID_WSGICTL_DOCUMENT_H

#include <jansson.h>

struct buf;

/* Append it, as all of ours look, and a line end; o is dropped.  0 or -ENOMEM. */
int document_write(struct buf *to, json_t *o);

#endif
