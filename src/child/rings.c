/*
 * rings.c - the io of each worker.  See rings.h.
 */
#include "child/rings.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "io/io.h"

enum {
	RECEIVE_BUFFERS = 256,
	RECEIVE_BUFFER = 16 * 1024,
	RING_TRIES = 15, /* of 20 ms: rings of dead children are freed late */
	RING_PAUSE_MS = 20,
};

static int
make(struct io **ret, const char *name, struct err *err)
{
	const struct io_settings settings = {
		.buffers = RECEIVE_BUFFERS,
		.buffer_size = RECEIVE_BUFFER,
	};

	return io_create(ret, name, &settings, err);
}

/* Locked memory of rings that are gone comes back after a moment. */
static int
make_patiently(struct io **ret, const char *name, int channel, struct err *err)
{
	struct pollfd end = {.fd = channel, .events = POLLIN};
	int rc = make(ret, name, err);

	for (int i = 0; rc == -ENOMEM && i < RING_TRIES; i++) {
		(void)poll(&end, 1, RING_PAUSE_MS);
		rc = make(ret, name, err);
	}
	return rc;
}

static int
make_all(struct io **rings, size_t n, const char *name, int channel,
	struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = make_patiently(&rings[i], name, channel, err);

		if (rc == 0)
			continue;
		while (i-- > 0) {
			io_destroy(rings[i]);
			rings[i] = NULL;
		}
		return rc;
	}
	return 0;
}

static int
make_as_asked(struct io **rings, size_t n, const struct config *config,
	int channel, bool speak, struct err *err)
{
	int rc;

	switch (config->io_engine) {
	case CONFIG_IO_EPOLL:
		return make_all(rings, n, "epoll", channel, err);
	case CONFIG_IO_URING:
		return make_all(rings, n, "io_uring", channel, err);
	default:
		break;
	}
	rc = make_all(rings, n, "io_uring", channel, err);
	if (rc == 0)
		return 0;
	if (speak)
		log_notice("child", "using epoll: %s", err->text);
	else
		log_debug("child", "using epoll: %s", err->text);
	return make_all(rings, n, "epoll", channel, err);
}

int
rings_make(struct io ***ret, size_t n, const struct config *config, int channel,
	bool speak, struct err *err)
{
	struct io **rings = calloc(n, sizeof(struct io *));
	int rc;

	if (rings == NULL)
		return err_set(err, ENOMEM, "rings");
	rc = make_as_asked(rings, n, config, channel, speak, err);
	if (rc < 0)
		free(rings);
	else
		*ret = rings;
	return rc;
}

void
rings_destroy(struct io **rings, size_t n)
{
	for (size_t i = 0; rings != NULL && i < n; i++)
		io_destroy(rings[i]);
	free(rings);
}

void
rings_abandon(struct io *const *rings, size_t n)
{
	for (size_t i = 0; rings != NULL && i < n; i++)
		close(io_fd(rings[i]));
}
