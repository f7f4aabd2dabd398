/*
 * processes.c - how many children and threads: the rules between directives.
 *
 * Apache's rules and their order, of prefork and of worker.  What the other
 * MPM alone would use is ignored, and said to be.  Under prefork a child is a
 * child of one thread, so that whoever reckons with threads need not ask which
 * MPM it is.
 *
 * As in rules.c, what corrects somebody's words is said, what fills in an
 * "auto" or makes room around one is not, and nothing changes a configuration
 * that is settled already.
 */
#include "config/config_priv.h"

enum {
	SERVER_LIMIT_MAX = 200000,
	SERVER_LIMIT_MAX_WORKER = 20000,
	SERVER_LIMIT_AUTO = 256,
	THREAD_LIMIT_MAX = 20000,
	THREAD_LIMIT_AUTO = 64,
	THREADS_AUTO = 8,
	STACK_MIN = 256 * 1024, /* less is not enough for Python's own frames */
};

static long
larger(long a, long b)
{
	return a > b ? a : b;
}

static long
smaller(long a, long b)
{
	return a < b ? a : b;
}

long
config_most_children(const struct config *c)
{
	return c->max_request_workers / c->threads_per_child;
}

const char *
config_mpm_name(const struct config *c)
{
	return directive_of(offsetof(struct config, mpm))->words[c->mpm];
}

static long
built_for(const struct config *c)
{
	return c->mpm == CONFIG_MPM_WORKER ? SERVER_LIMIT_MAX_WORKER
					   : SERVER_LIMIT_MAX;
}

static long
most_servers(const struct config *c)
{
	return c->server_limit != CONFIG_AUTO ? c->server_limit : built_for(c);
}

/* What to do for more than most. */
static const char *
advice(long most, long bound, const char *to_raise)
{
	return most < bound ? to_raise : "wsgid is built for no more";
}

static const char *
server_advice(const struct config *c)
{
	return advice(
		most_servers(c), built_for(c), "raise ServerLimit for more");
}

/* ---- Which MPM, and what it has no use for ------------------------------ */

/* Also where it is not used: none at all is no number of threads. */
static void
raise_threads_per_child(struct config *c)
{
	if (c->threads_per_child == CONFIG_AUTO || c->threads_per_child >= 1)
		return;
	config_warn(c, SETTING(c, threads_per_child)->where,
		NAME_OF(threads_per_child), "%ld is not allowed, raised to 1",
		c->threads_per_child);
	c->threads_per_child = 1;
}

/* Several threads are what gunicorn's users mean by --threads, whether or not
 * they have heard of an MPM. */
static void
choose_mpm(struct config *c)
{
	struct config_setting *setting = SETTING(c, mpm);

	if (setting->source > CONFIG_FROM_DEFAULT || c->threads_per_child <= 1)
		return;
	c->mpm = CONFIG_MPM_WORKER;
	*setting = *SETTING(c, threads_per_child);
}

static void
keep_mpm(struct config *c, const struct config *running)
{
	const struct config_setting *setting = SETTING(c, mpm);

	if (running == NULL || c->mpm == running->mpm)
		return;
	config_warn(c,
		setting->source > CONFIG_FROM_DEFAULT ? setting->where : "",
		NAME_OF(mpm),
		"changes only when wsgid is stopped and started; %s stays",
		config_mpm_name(running));
	c->mpm = running->mpm;
}

static void
ignore(struct config *c, size_t offset, long instead, const char *because)
{
	const struct directive *row = directive_of(offset);
	long *value = (long *)(void *)((char *)c + offset);

	if (*value != instead && *value != CONFIG_AUTO)
		config_warn(c, config_setting_of(c, row)->where, row->name,
			"ignored with MPM %s, %s", config_mpm_name(c), because);
	*value = instead;
}

#define IGNORE(c, member, instead, because) \
	ignore((c), offsetof(struct config, member), (instead), (because))

/* A size, which is no long everywhere. */
static void
ignore_thread_stack_size(struct config *c)
{
	if (c->thread_stack_size != 0)
		config_warn(c, SETTING(c, thread_stack_size)->where,
			NAME_OF(thread_stack_size),
			"ignored with MPM %s, which has one thread in each "
			"child, the process's own",
			config_mpm_name(c));
	c->thread_stack_size = 0;
}

static void
ignore_threads(struct config *c)
{
	IGNORE(c, threads_per_child, 1,
		"which has one thread in each child; write MPM worker for "
		"more");
	IGNORE(c, thread_limit, 1, "which has one thread in each child");
	IGNORE(c, min_spare_threads, CONFIG_AUTO,
		"which counts children; write MinSpareServers");
	IGNORE(c, max_spare_threads, CONFIG_AUTO,
		"which counts children; write MaxSpareServers");
	ignore_thread_stack_size(c);
}

static void
ignore_spare_servers(struct config *c)
{
	IGNORE(c, min_spare_servers, 1,
		"which counts threads; write MinSpareThreads");
	IGNORE(c, max_spare_servers, CONFIG_AUTO,
		"which counts threads; write MaxSpareThreads");
}

/* ---- What memory is laid out for ---------------------------------------- */

/* ServerLimit and ThreadLimit: within 1 and most, or what the server that
 * runs has. */
static void
clamp_limit(struct config *c, size_t offset, long most, const long *running)
{
	const struct directive *row = directive_of(offset);
	const char *where = config_setting_of(c, row)->where;
	long *value = (long *)(void *)((char *)c + offset);

	if (*value == CONFIG_AUTO) {
		if (running != NULL)
			*value = *running;
	} else if (running != NULL && *value != *running) {
		config_warn(c, where, row->name,
			"changes only when wsgid is stopped and started; %ld "
			"stays",
			*running);
		*value = *running;
	} else if (*value > most) {
		config_warn(c, where, row->name,
			"%ld exceeds the limit of %ld that wsgid is built "
			"with, lowered to %ld",
			*value, most, most);
		*value = most;
	} else if (*value < 1) {
		config_warn(c, where, row->name,
			"%ld is not allowed, raised to 1", *value);
		*value = 1;
	}
}

static void
clamp_server_limit(struct config *c, const struct config *running)
{
	clamp_limit(c, offsetof(struct config, server_limit), built_for(c),
		running != NULL ? &running->server_limit : NULL);
}

static void
settle_server_limit(struct config *c)
{
	if (c->server_limit == CONFIG_AUTO)
		c->server_limit =
			larger(SERVER_LIMIT_AUTO, config_most_children(c));
}

/* ---- Threads ------------------------------------------------------------ */

static void
clamp_thread_limit(struct config *c, const struct config *running)
{
	clamp_limit(c, offsetof(struct config, thread_limit), THREAD_LIMIT_MAX,
		running != NULL ? &running->thread_limit : NULL);
}

/* Left to itself it fits into what was said of the others. */
static long
threads_auto(const struct config *c)
{
	long threads = THREADS_AUTO;

	if (c->thread_limit != CONFIG_AUTO)
		threads = smaller(threads, c->thread_limit);
	if (c->max_request_workers != CONFIG_AUTO)
		threads = smaller(threads, c->max_request_workers);
	return larger(threads, 1);
}

static void
settle_threads_per_child(struct config *c)
{
	long most = c->thread_limit != CONFIG_AUTO ? c->thread_limit
						   : THREAD_LIMIT_MAX;
	const char *where = SETTING(c, threads_per_child)->where;

	if (c->threads_per_child == CONFIG_AUTO) {
		c->threads_per_child = threads_auto(c);
	} else if (c->threads_per_child > most) {
		config_warn(c, where, NAME_OF(threads_per_child),
			"%ld exceeds ThreadLimit of %ld, lowered to %ld; %s",
			c->threads_per_child, most, most,
			advice(most, THREAD_LIMIT_MAX,
				"raise ThreadLimit for more, which needs a "
				"stop and a start"));
		c->threads_per_child = most;
	}
	if (c->thread_limit == CONFIG_AUTO)
		c->thread_limit =
			larger(THREAD_LIMIT_AUTO, c->threads_per_child);
}

static void
settle_thread_stack_size(struct config *c)
{
	if (c->thread_stack_size == 0 || c->thread_stack_size >= STACK_MIN)
		return;
	config_warn(c, SETTING(c, thread_stack_size)->where,
		NAME_OF(thread_stack_size),
		"%lld bytes are too few for Python, raised to %dk",
		(long long)c->thread_stack_size, STACK_MIN / 1024);
	c->thread_stack_size = STACK_MIN;
}

static void
check_restart_interval(struct config *c)
{
	if (c->restart_interval == 0 || c->restart_interval >= 1000)
		return;
	config_warn(c, SETTING(c, restart_interval)->where,
		NAME_OF(restart_interval),
		"%lldms is less than most children take to start, so they are "
		"replaced all the time; a bare number is seconds",
		(long long)c->restart_interval);
}

/* ---- A pool of fixed size ----------------------------------------------- */

/* The numbers that Processes stands for. */
static void
fix(struct config *c, size_t offset, long fixed, bool *kept)
{
	const struct directive *row = directive_of(offset);
	struct config_setting *setting = config_setting_of(c, row);
	const struct config_setting *processes = SETTING(c, processes);
	long *value = (long *)(void *)((char *)c + offset);

	if (setting->source > processes->source) {
		*kept = *kept || *value != fixed;
		return;
	}
	if (setting->source == processes->source && *value != fixed &&
		*value != CONFIG_AUTO)
		config_warn(c, setting->where, row->name,
			"ignored, because Processes (%s) fixes the pool at %ld",
			processes->where, c->processes);
	*value = fixed;
	*setting = *processes;
}

#define FIX(c, member, fixed, kept) \
	fix((c), offsetof(struct config, member), (fixed), (kept))

/* "-w 4" of gunicorn's users: always four.  A number from a stronger source
 * than Processes stays, and then the pool is not a fixed one. */
static void
fix_pool(struct config *c)
{
	long n = c->processes, most = most_servers(c);
	long threads = c->threads_per_child;
	bool kept = false;

	if (n == 0)
		return;
	if (n > most) {
		config_warn(c, SETTING(c, processes)->where, NAME_OF(processes),
			"%ld exceeds ServerLimit of %ld, lowered to %ld; %s", n,
			most, most, server_advice(c));
		n = c->processes = most;
	}
	FIX(c, start_servers, n, &kept);
	if (c->mpm == CONFIG_MPM_WORKER) {
		FIX(c, min_spare_threads, n * threads, &kept);
		FIX(c, max_spare_threads, (n + 1) * threads + 1, &kept);
	} else {
		FIX(c, min_spare_servers, n, &kept);
		FIX(c, max_spare_servers, n + 1, &kept);
	}
	FIX(c, max_request_workers, n * threads, &kept);
	if (kept)
		c->processes = 0;
}

/* ---- A pool that grows and shrinks -------------------------------------- */

static void
settle_max_request_workers(struct config *c, int cpus)
{
	long most = most_servers(c);
	const char *where = SETTING(c, max_request_workers)->where;

	if (c->max_request_workers == CONFIG_AUTO) {
		c->max_request_workers = smaller(4L * cpus, most);
	} else if (c->max_request_workers > most) {
		config_warn(c, where, NAME_OF(max_request_workers),
			"%ld exceeds ServerLimit of %ld, lowered to %ld; %s",
			c->max_request_workers, most, most, server_advice(c));
		c->max_request_workers = most;
	} else if (c->max_request_workers < 1) {
		config_warn(c, where, NAME_OF(max_request_workers),
			"%ld is not allowed, raised to 1",
			c->max_request_workers);
		c->max_request_workers = 1;
	}
}

/* Whole children, as many as there may be. */
static void
settle_max_request_threads(struct config *c, int cpus)
{
	long threads = c->threads_per_child, most = most_servers(c) * threads;
	const char *where = SETTING(c, max_request_workers)->where;
	long n = c->max_request_workers;

	if (n == CONFIG_AUTO) {
		n = smaller(2L * cpus * threads, most);
	} else if (n > most) {
		config_warn(c, where, NAME_OF(max_request_workers),
			"%ld exceeds ServerLimit of %ld with %ld threads in "
			"each child, lowered to %ld; %s",
			n, most / threads, threads, most, server_advice(c));
		n = most;
	} else if (n < threads) {
		config_warn(c, where, NAME_OF(max_request_workers),
			"%ld is below ThreadsPerChild of %ld, raised to %ld", n,
			threads, threads);
		n = threads;
	} else if (n % threads != 0) {
		config_warn(c, where, NAME_OF(max_request_workers),
			"%ld is no multiple of ThreadsPerChild of %ld, lowered "
			"to %ld",
			n, threads, n - n % threads);
		n -= n % threads;
	}
	c->max_request_workers = n;
}

static void
settle_start_servers(struct config *c, int cpus)
{
	const char *where = SETTING(c, start_servers)->where;
	long most = config_most_children(c);

	if (c->start_servers == CONFIG_AUTO) {
		c->start_servers = smaller(cpus, most);
	} else if (c->start_servers < 1) {
		config_warn(c, where, NAME_OF(start_servers),
			"%ld is not allowed, raised to 1", c->start_servers);
		c->start_servers = 1;
	} else if (c->start_servers > most) {
		if (c->mpm == CONFIG_MPM_WORKER)
			config_warn(c, where, NAME_OF(start_servers),
				"%ld children have more threads than "
				"MaxRequestWorkers of %ld, lowered to %ld",
				c->start_servers, c->max_request_workers, most);
		else
			config_warn(c, where, NAME_OF(start_servers),
				"%ld is above MaxRequestWorkers of %ld, "
				"lowered to %ld",
				c->start_servers, most, most);
		c->start_servers = most;
	}
}

/* MinSpareServers or MinSpareThreads, of "child" or "thread". */
static void
clamp_min_spare(struct config *c, size_t offset, const char *what)
{
	const struct directive *row = directive_of(offset);
	const char *where = config_setting_of(c, row)->where;
	long *value = (long *)(void *)((char *)c + offset);
	long most = c->max_request_workers;

	if (*value < 1) {
		config_warn(c, where, row->name,
			"%ld is not allowed, raised to 1; with no idle %s a "
			"new connection would wait for a new process",
			*value, what);
		*value = 1;
	} else if (*value > most) {
		config_warn(c, where, row->name,
			"%ld is above MaxRequestWorkers of %ld, lowered to "
			"%ld",
			*value, most, most);
		*value = most;
	}
}

static void
settle_max_spare_servers(struct config *c, int cpus)
{
	long least = c->min_spare_servers + 1;

	if (c->max_spare_servers == CONFIG_AUTO) {
		c->max_spare_servers = larger(cpus, least);
	} else if (c->max_spare_servers < least) {
		config_warn(c, SETTING(c, max_spare_servers)->where,
			NAME_OF(max_spare_servers),
			"%ld is not above MinSpareServers of %ld, raised to "
			"%ld",
			c->max_spare_servers, c->min_spare_servers, least);
		c->max_spare_servers = least;
	}
}

/* The next child is started while the last one still has idle threads: an
 * application takes a while to import. */
static void
settle_min_spare_threads(struct config *c)
{
	if (c->min_spare_threads == CONFIG_AUTO)
		c->min_spare_threads = larger(c->threads_per_child / 2, 1);
	else
		clamp_min_spare(c, offsetof(struct config, min_spare_threads),
			"thread");
}

/* A whole child between the two, or one would be started and retired for
 * ever. */
static void
settle_max_spare_threads(struct config *c, int cpus)
{
	long threads = c->threads_per_child;
	long least = c->min_spare_threads + threads + 1;

	if (c->max_spare_threads == CONFIG_AUTO) {
		c->max_spare_threads = larger(cpus * threads, least);
	} else if (c->max_spare_threads < least) {
		config_warn(c, SETTING(c, max_spare_threads)->where,
			NAME_OF(max_spare_threads),
			"%ld is not above MinSpareThreads of %ld and the %ld "
			"of one child, raised to %ld",
			c->max_spare_threads, c->min_spare_threads, threads,
			least);
		c->max_spare_threads = least;
	}
}

/* ------------------------------------------------------------------------- */

static void
settle_prefork(struct config *c, int cpus)
{
	ignore_threads(c);
	fix_pool(c);
	settle_max_request_workers(c, cpus);
	settle_server_limit(c);
	settle_start_servers(c, cpus);
	clamp_min_spare(c, offsetof(struct config, min_spare_servers), "child");
	settle_max_spare_servers(c, cpus);
}

static void
settle_worker(struct config *c, int cpus, const struct config *running)
{
	ignore_spare_servers(c);
	settle_thread_stack_size(c);
	clamp_thread_limit(c, running);
	settle_threads_per_child(c);
	fix_pool(c);
	settle_max_request_threads(c, cpus);
	settle_server_limit(c);
	settle_start_servers(c, cpus);
	settle_min_spare_threads(c);
	settle_max_spare_threads(c, cpus);
}

/* The same as fix_pool of a settled configuration, but for who asks. */
void
config_scale(struct config *c, long n)
{
	long threads = c->threads_per_child;

	c->processes = c->start_servers = n;
	c->max_request_workers = n * threads;
	if (c->mpm == CONFIG_MPM_WORKER) {
		c->min_spare_threads = n * threads;
		c->max_spare_threads = (n + 1) * threads + 1;
	} else {
		c->min_spare_servers = n;
		c->max_spare_servers = n + 1;
	}
}

void
processes_settle(struct config *c, const struct config_machine *machine)
{
	int cpus = machine->cpus > 1 ? machine->cpus : 1;

	raise_threads_per_child(c);
	choose_mpm(c);
	keep_mpm(c, machine->running);
	clamp_server_limit(c, machine->running);
	check_restart_interval(c);
	if (c->mpm == CONFIG_MPM_WORKER)
		settle_worker(c, cpus, machine->running);
	else
		settle_prefork(c, cpus);
}
