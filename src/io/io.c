/*
 * io.c - the engines by name, and the way to them.
 *
 * One indirect call an operation is all that the choice of an engine costs.
 */
#include "io/io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/defs.h"
#include "base/err.h"
#include "io/io_priv.h"

/* A tree that was not configured is one with everything in it. */
#if __has_include("built_with.h")
#include "built_with.h"
#else
#define HAVE_URING 1
#endif

enum {
	BUFFERS_MAX = 32768, /* what an io_uring buffer ring can hold */
	BUFFER_SIZE_MAX = 1 << 24,
	PARTS_MAX = 1024, /* IOV_MAX */
	OWNER_ALIGNMENT = 16,
};

/* The preferred one first. */
static const struct io_engine *const engines[] = {
#if HAVE_URING
	&io_engine_uring,
#endif
	&io_engine_epoll,
};

static const struct io_engine *
find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(engines); i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}

static int
refuse_name(const char *name, struct err *err)
{
	char known[128] = "";
	size_t i, len = 0;

	if (strcmp(name, "io_uring") == 0)
		return err_setx(err, ENOSYS,
			"io_uring: this program was built without it; "
			"install liburing's headers and build again");
	for (i = 0; i < ARRAY_LEN(engines) && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len,
			"%s%s", i > 0 ? " and " : "", engines[i]->name);
	return err_setx(err, EINVAL,
		"\"%s\" is no input and output engine; there are %s", name,
		known);
}

static int
check_settings(const struct io_settings *settings, struct err *err)
{
	unsigned n = settings->buffers;

	if (n == 0 || n > BUFFERS_MAX || (n & (n - 1)) != 0)
		return err_setx(err, EINVAL,
			"%u receive buffers: the number must be a power of "
			"two, at most %d",
			n, BUFFERS_MAX);
	if (settings->buffer_size == 0 ||
		settings->buffer_size > BUFFER_SIZE_MAX)
		return err_setx(err, EINVAL,
			"receive buffers of %u bytes: the size must be "
			"between 1 and %d",
			settings->buffer_size, BUFFER_SIZE_MAX);
	return 0;
}

/* The low bits of an owner's address carry the kind of its operation. */
static void
check_owner(const void *owner)
{
	assert(owner != NULL && (uintptr_t)owner % OWNER_ALIGNMENT == 0);
}

int
io_create(struct io **ret, const char *name, const struct io_settings *settings,
	struct err *err)
{
	const struct io_engine *engine = find(name);
	int rc;

	if (engine == NULL)
		return refuse_name(name, err);
	rc = check_settings(settings, err);
	if (rc < 0)
		return rc;
	return engine->create(ret, settings, err);
}

void
io_destroy(struct io *io)
{
	if (io != NULL)
		io->engine->destroy(io);
}

bool
io_keeps_files(const struct io *io)
{
	return io->engine->keeps_files;
}

const char *
io_name(const struct io *io)
{
	return io->engine->name;
}

int
io_fd(const struct io *io)
{
	return io->engine->fd(io);
}

void
io_accept(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->accept(io, owner, fd);
}

void
io_poll(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->poll(io, owner, fd);
}

void
io_poll_set(struct io *io, void *owner, int set, const int *fds, size_t n)
{
	check_owner(owner);
	io->engine->poll_set(io, owner, set, fds, n);
}

void
io_writable(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->writable(io, owner, fd);
}

void
io_readable(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->readable(io, owner, fd);
}

void
io_receive(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->receive(io, owner, fd);
}

void
io_receive_once(struct io *io, void *owner, int fd)
{
	check_owner(owner);
	io->engine->receive_once(io, owner, fd);
}

void
io_release(struct io *io, uint16_t buffer)
{
	io->engine->release(io, buffer);
}

void
io_send(struct io *io, void *owner, int fd, const struct iovec *parts,
	unsigned n_parts)
{
	check_owner(owner);
	assert(n_parts <= PARTS_MAX);
	io->engine->send(io, owner, fd, parts, n_parts);
}

void
io_cancel(struct io *io, void *owner, enum io_kind kind, int fd)
{
	check_owner(owner);
	io->engine->cancel(io, owner, kind, fd);
}

void
io_start(struct io *io)
{
	io->engine->start(io);
}

int
io_wait(struct io *io, struct io_event *events, unsigned max,
	int64_t timeout_ns)
{
	assert(max > 0);
	return io->engine->wait(io, events, max, timeout_ns);
}

unsigned
io_room(const struct io *io)
{
	return io->engine->room(io);
}

void
io_withdraw_sends(struct io *io,
	void (*withdrawn)(void *arg, void *owner), void *arg)
{
	io->engine->withdraw_sends(io, withdrawn, arg);
}

bool
io_pending(const struct io *io)
{
	return io->engine->pending(io);
}

void *
io_map(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

void *
io_map_own(size_t len)
{
	void *memory = io_map(len);

	if (memory != NULL && madvise(memory, len, MADV_DONTFORK) < 0) {
		munmap(memory, len);
		return NULL;
	}
	return memory;
}

void
io_unmap(void *memory, size_t len)
{
	if (memory != NULL)
		munmap(memory, len);
}
