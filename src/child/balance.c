/*
 * balance.c - clients spread over the children of a pool.  See balance.h.
 *
 * The threshold is what makes it settle: without it surplus went to and fro
 * without end.  The mean counts idle siblings alone, because one that is
 * stuck has given its connections away and would pull it down.
 */
#include "child/balance.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/err.h"
#include "net/inherit.h"

_Static_assert(sizeof(struct balance_sibling) == INHERIT_SIBLING,
	"the master reckons with the same");

int
balance_open(struct balance *ret, int fd, size_t slot, struct err *err)
{
	struct stat st;
	size_t n;
	void *memory;

	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "memory of the siblings");
	n = (size_t)st.st_size / sizeof(struct balance_sibling);
	if (slot + 1 >= n)
		return err_setx(err, EPROTO,
			"memory of the siblings: there is no slot %zu", slot);
	memory = mmap(NULL, n * sizeof(struct balance_sibling),
		PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return err_set(err, errno, "memory of the siblings");
	*ret = (struct balance){.siblings = memory, .n = n - 1, .slot = slot};
	ret->news = (const void *)&ret->siblings[ret->n];
	return 0;
}

void
balance_close(struct balance *b)
{
	if (b->siblings != NULL)
		munmap(b->siblings, (b->n + 1) * sizeof(*b->siblings));
	*b = (struct balance){0};
}

static void
set(uint32_t *number, size_t value)
{
	__atomic_store_n(number, (uint32_t)value, __ATOMIC_RELAXED);
}

void
balance_show(const struct balance *b, size_t connections, bool idle)
{
	struct balance_sibling *me;

	if (b->siblings == NULL)
		return;
	me = &b->siblings[b->slot];
	set(&me->connections, connections);
	set(&me->idle, idle);
	if (idle)
		set(&me->ready, 0);
}

void
balance_show_ready(const struct balance *b, size_t ready)
{
	if (b->siblings != NULL)
		set(&b->siblings[b->slot].ready, ready);
}

/* Its child may be writing it. */
static uint32_t
seen(const uint32_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

bool
balance_has_idle(const struct balance *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (i != b->slot && seen(&b->siblings[i].idle) != 0)
			return true;
	return false;
}

size_t
balance_count_idle(const struct balance *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += i != b->slot && seen(&b->siblings[i].idle) != 0;
	return n;
}

size_t
balance_excess(const struct balance *b, size_t connections, size_t ready)
{
	size_t idle = 0, sum = connections, mean, excess;

	if (ready < 2)
		return 0;
	for (size_t i = 0; i < b->n; i++) {
		if (i == b->slot || seen(&b->siblings[i].idle) == 0)
			continue;
		idle++;
		sum += seen(&b->siblings[i].connections);
	}
	mean = sum / (idle + 1);
	if (idle == 0 || connections <= mean + mean / 8 + 1)
		return 0;
	excess = connections - mean;
	if (excess > idle)
		excess = idle;
	return excess < ready - 1 ? excess : ready - 1;
}

bool
balance_has_shorter(const struct balance *b, size_t ready)
{
	for (size_t i = 0; i < b->n; i++)
		if (i != b->slot && seen(&b->siblings[i].connections) > 0 &&
			seen(&b->siblings[i].ready) < ready / 2)
			return true;
	return false;
}
