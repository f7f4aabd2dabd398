/*
 * io_priv.h - what an engine provides, and what both of them need.
 */
#ifndef WSGID_IO_IO_PRIV_H
#define WSGID_IO_IO_PRIV_H

#include "io/io.h"

enum { IO_KINDS = IO_READABLE + 1 };

/* Each engine lives in the file of its name and is listed once, in io.c.
 * The functions do what the function of the same name in io.h says; create
 * is given settings that have been checked. */
struct io_engine {
	const char *name;
	bool keeps_files;
	int (*create)(struct io **ret, const struct io_settings *settings,
		struct err *err);
	void (*destroy)(struct io *io);
	int (*fd)(const struct io *io);
	void (*accept)(struct io *io, void *owner, int fd);
	void (*poll)(struct io *io, void *owner, int fd);
	void (*poll_set)(
		struct io *io, void *owner, int set, const int *fds, size_t n);
	void (*writable)(struct io *io, void *owner, int fd);
	void (*readable)(struct io *io, void *owner, int fd);
	void (*receive)(struct io *io, void *owner, int fd);
	void (*receive_once)(struct io *io, void *owner, int fd);
	void (*release)(struct io *io, uint16_t buffer);
	void (*send)(struct io *io, void *owner, int fd,
		const struct iovec *parts, unsigned n_parts);
	void (*cancel)(struct io *io, void *owner, enum io_kind kind, int fd);
	void (*start)(struct io *io);
	int (*wait)(struct io *io, struct io_event *events, unsigned max,
		int64_t timeout_ns);
	unsigned (*room)(const struct io *io);
	void (*withdraw_sends)(struct io *io,
		void (*withdrawn)(void *arg, void *owner),
		void *arg);
	bool (*pending)(const struct io *io);
};

/* The beginning of every engine's own structure. */
struct io {
	const struct io_engine *engine;
};

/* Zeroed pages that are taken only when touched; NULL when there are none.  A copy
 * of the process that an application has forked inherits them: the request that it
 * was in lies there. */
void *io_map(size_t len);
/* Such pages that are not inherited, as what the kernel writes to. */
void *io_map_own(size_t len);
void io_unmap(void *memory, size_t len);

extern const struct io_engine io_engine_uring;
extern const struct io_engine io_engine_epoll;

#endif
