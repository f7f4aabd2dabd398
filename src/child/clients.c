/*
 * clients.c - which descriptors are those of clients.  See clients.h.
 *
 * A bit for each descriptor up to the hard limit; pages of it that are never
 * touched cost no memory, however high the limit is.
 */
#include "child/clients.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"

enum {
	BITS = 64,
	MOST = 1 << 30, /* where there is no limit: more than the kernel has */
};

struct clients {
	size_t n_words;
	_Atomic uint64_t words[];
};

int
clients_create(struct clients **ret, struct err *err)
{
	struct rlimit limit = {.rlim_max = MOST};
	size_t n_words;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max > MOST)
		limit.rlim_max = MOST;
	n_words = limit.rlim_max / BITS + 1;
	*ret = calloc(1, sizeof(**ret) + n_words * sizeof(uint64_t));
	if (*ret == NULL)
		return err_set(err, ENOMEM, "clients");
	(*ret)->n_words = n_words;
	return 0;
}

void
clients_destroy(struct clients *clients)
{
	free(clients);
}

static _Atomic uint64_t *
word_of(struct clients *clients, int fd)
{
	size_t i = (size_t)fd / BITS;

	return i < clients->n_words ? &clients->words[i] : NULL;
}

static uint64_t
bit_of(int fd)
{
	return UINT64_C(1) << ((unsigned)fd % BITS);
}

void
clients_add(struct clients *clients, int fd)
{
	_Atomic uint64_t *word = word_of(clients, fd);

	if (word != NULL)
		atomic_fetch_or(word, bit_of(fd));
}

void
clients_remove(struct clients *clients, int fd)
{
	_Atomic uint64_t *word = word_of(clients, fd);

	if (word != NULL)
		atomic_fetch_and(word, ~bit_of(fd));
}

void
clients_abandon(const struct clients *clients)
{
	for (size_t i = 0; clients != NULL && i < clients->n_words; i++) {
		uint64_t word = clients->words[i];

		while (word != 0) {
			int bit = __builtin_ctzll(word);

			close((int)(i * BITS) + bit);
			word &= word - 1;
		}
	}
}
