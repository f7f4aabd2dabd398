/*
 * buckets.c - ListenCoresBucketsRatio: how many buckets of sockets, and what
 * the numbers of children must be for that.
 *
 * Apache's rules: as many buckets as the ratio goes into the CPUs, and at
 * least one child in each, so the numbers of children are raised where they
 * would not do.  Apache does that without a word; here a number that somebody
 * wrote is not changed silently.
 */
#include <strings.h>

#include "config/config_priv.h"

static size_t
count_unix(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_listens; i++)
		n += strncasecmp(c->listens[i].address, "unix:", 5) == 0;
	return n;
}

/* There is only one way to a socket file. */
static bool
has_sockets_to_multiply(struct config *c)
{
	const char *where = SETTING(c, listen_cores_buckets_ratio)->where;
	size_t n = count_unix(c);

	if (n > 0 && n == c->n_listens)
		config_warn(c, where, NAME_OF(listen_cores_buckets_ratio),
			"ignored, it does not apply to unix: sockets");
	else if (n > 0)
		config_warn(c, where, NAME_OF(listen_cores_buckets_ratio),
			"does not apply to unix: sockets, which have one for "
			"all buckets");
	return n < c->n_listens;
}

static long
within_server_limit(struct config *c, long n)
{
	if (n <= c->server_limit)
		return n;
	config_warn(c, SETTING(c, listen_cores_buckets_ratio)->where,
		NAME_OF(listen_cores_buckets_ratio),
		"%ld buckets exceed ServerLimit of %ld, lowered to %ld; raise "
		"ServerLimit for more",
		n, c->server_limit, c->server_limit);
	return c->server_limit;
}

static long
count(struct config *c, const struct config_machine *machine)
{
	const char *where = SETTING(c, listen_cores_buckets_ratio)->where;
	long ratio = c->listen_cores_buckets_ratio, n;

	n = ratio > 0 ? machine->cpus / ratio : 1;
	if (n < 2)
		return 1;
	if (config_has_mutex(c)) {
		/* Its holder would wait for its own bucket, and nobody for
		 * the others. */
		config_warn(c, where, NAME_OF(listen_cores_buckets_ratio),
			"ignored with Mutex %s, which lets one child at a "
			"time wait for connections",
			value_show(c->mutex).text);
		return 1;
	}
	return has_sockets_to_multiply(c) ? within_server_limit(c, n) : 1;
}

/* Closing a socket would reset the connections that wait in it. */
static long
keep(struct config *c, const struct config *running)
{
	if (c->listen_cores_buckets_ratio !=
		running->listen_cores_buckets_ratio)
		config_warn(c, SETTING(c, listen_cores_buckets_ratio)->where,
			NAME_OF(listen_cores_buckets_ratio),
			"changes only when wsgid is stopped and started; %ld "
			"stays",
			running->listen_cores_buckets_ratio);
	c->listen_cores_buckets_ratio = running->listen_cores_buckets_ratio;
	return running->buckets;
}

static void
raise_to(struct config *c, size_t offset, long least)
{
	const struct directive *row = directive_of(offset);
	const struct config_setting *setting = config_setting_of(c, row);
	long *value = (long *)(void *)((char *)c + offset);

	if (*value >= least)
		return;
	if (setting->source > CONFIG_FROM_DEFAULT)
		config_warn(c, setting->where, row->name,
			"%ld is not enough for %ld buckets "
			"(ListenCoresBucketsRatio), raised to %ld",
			*value, c->buckets, least);
	*value = least;
}

#define RAISE(c, member, least) \
	raise_to((c), offsetof(struct config, member), (least))

/* As Processes fixes it, for more of them. */
static void
raise_fixed_pool(struct config *c)
{
	long n = c->buckets, threads = c->threads_per_child;

	if (c->processes >= n)
		return;
	RAISE(c, processes, n);
	c->start_servers = n;
	c->max_request_workers = n * threads;
	if (c->mpm == CONFIG_MPM_WORKER) {
		c->min_spare_threads = n * threads;
		c->max_spare_threads = (n + 1) * threads + 1;
	} else {
		c->min_spare_servers = n;
		c->max_spare_servers = n + 1;
	}
}

static void
raise_pool(struct config *c)
{
	long n = c->buckets, threads = c->threads_per_child;
	long spare = threads * (n - 1) + n;

	RAISE(c, max_request_workers, n * threads);
	RAISE(c, start_servers, n);
	if (c->mpm == CONFIG_MPM_WORKER) {
		/* No more can be idle than there are. */
		if (spare > c->max_request_workers)
			spare = c->max_request_workers;
		RAISE(c, min_spare_threads, spare);
		RAISE(c, max_spare_threads,
			c->min_spare_threads + (threads + 1) * n);
	} else {
		RAISE(c, min_spare_servers, n);
		RAISE(c, max_spare_servers, c->min_spare_servers + n);
	}
}

void
buckets_settle(struct config *c, const struct config_machine *machine)
{
	if (machine->running != NULL)
		c->buckets = keep(c, machine->running);
	else if (c->buckets == 0) /* else the master has told */
		c->buckets = count(c, machine);
	if (c->buckets > 1 && c->processes > 0)
		raise_fixed_pool(c);
	else if (c->buckets > 1)
		raise_pool(c);
}
