/*
 * spool.h - a body on its way to the application, in a file without a name.
 *
 * What is in it are the client's bytes as they came, framing included, so that
 * a connection can go to a sibling at any moment with nothing but the file.
 */
#ifndef WSGID_CHILD_SPOOL_H
#define WSGID_CHILD_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spool {
	int fd;       /* -1: there is none */
	uint64_t len; /* bytes written, ... */
	uint64_t at;  /* ... and read */
	bool whole;   /* the body ends where the file does */
	bool known;   /* where in the framing we are at its end; else another
	               * process has written it */
};

#define SPOOL_NONE ((struct spool){.fd = -1})

/* A new one, in $TMPDIR, /var/tmp or /tmp.  0 or a negative errno. */
int spool_open(struct spool *s);
void spool_close(struct spool *s);

/* Append; 0, or a negative errno and then nothing has been. */
int spool_add(struct spool *s, const void *data, size_t len);

/* How much has not been read. */
uint64_t spool_left(const struct spool *s);

/* The next bytes, up to len, which stay the next ones until they are passed.
 * 0 at the end, or a negative errno. */
ssize_t spool_peek(const struct spool *s, void *data, size_t len);
void spool_pass(struct spool *s, size_t len);

#endif
