/*
 * processes.c - processes that have exec'ed and use an accept mutex.
 */
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/fd.h"
#include "lock/accept_mutex.h"

enum { TENTH = 10, HANG = 60 /* seconds, then SIGALRM ends the process */ };

/* Between argv[0] and the end, in this order. */
enum {
	MARK = 1,
	NAME,
	MECHANISM,
	DIRECTORY,
	MUTEX,
	COUNTERS,
	SAY,
	UNPRIVILEGED,
	ARGUMENTS
};

const char *__tsan_default_suppressions(void);

/* The thread sanitizer of gcc 12 does not see pthread_mutex_clocklock, and
 * so takes each unlock after it for a wrong one. */
const char *
__tsan_default_suppressions(void)
{
	return "mutex:robust_unlock\n";
}

static void
say(int fd, char byte)
{
	if (write(fd, &byte, 1) != 1)
		_exit(120);
}

static void
give_up_root(void)
{
	if (setgroups(0, NULL) < 0 ||
		setresgid(NOBODY_ID, NOBODY_ID, NOBODY_ID) < 0 ||
		setresuid(NOBODY_ID, NOBODY_ID, NOBODY_ID) < 0)
		_exit(121);
}

static struct accept_mutex *
attach(char *argv[])
{
	struct accept_mutex *m;

	if (accept_mutex_attach(&m, argv[MECHANISM], atoi(argv[MUTEX]), NULL) <
		0)
		_exit(122);
	return m;
}

static void
linger(void)
{
	for (;;)
		pause();
}

static void
count(struct accept_mutex *m, struct counters *c, int to)
{
	for (int i = 0; i < ROUNDS; i++) {
		int before;

		if (accept_mutex_lock(m) < 0)
			_exit(123);
		if (++c->inside > c->most_inside)
			c->most_inside = c->inside;
		before = c->rounds;
		if (i % TENTH == 0)
			sched_yield();
		c->rounds = before + 1;
		c->inside--;
		if (accept_mutex_unlock(m) < 0)
			_exit(124);
		if (i + 1 == TENTH)
			say(to, 's');
	}
	accept_mutex_destroy(m);
}

static void
hold(struct accept_mutex *m, int to)
{
	int rc;

	say(to, 'w');
	rc = accept_mutex_lock(m);
	if (rc < 0) {
		say(to, 'x');
		_exit(-rc);
	}
	say(to, 'h');
	linger();
}

static void
be_master(const char *mechanism, const char *directory, int to)
{
	struct accept_mutex_settings settings = {
		.mechanism = mechanism,
		.run_directory = directory,
		.name = "site",
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	const struct role role = {"hold", mechanism, "", -1, false};
	struct accept_mutex *m;
	struct process first, second;

	if (strcmp(mechanism, "fcntl") == 0 || strcmp(mechanism, "flock") == 0)
		settings.file = directory;
	if (accept_mutex_create(&m, &settings, NULL) < 0)
		_exit(125);
	first = process_start(m, &role);
	if (!process_says(&first, 'h', SOON))
		_exit(126);
	second = process_start(m, &role);
	if (!process_says(&second, 'w', SOON))
		_exit(126);
	say(to, 'h');
	linger();
}

void
process_main(int argc, char *argv[])
{
	struct counters *c = NULL;
	int to;

	if (argc != ARGUMENTS || strcmp(argv[MARK], "--as") != 0)
		return;
	alarm(HANG);
	to = atoi(argv[SAY]);
	if (argv[UNPRIVILEGED][0] == '1')
		give_up_root();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(argv[NAME], "master") == 0)
		be_master(argv[MECHANISM], argv[DIRECTORY], to);
	if (strcmp(argv[NAME], "hold") == 0)
		hold(attach(argv), to);
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED,
		atoi(argv[COUNTERS]), 0);
	if (c == MAP_FAILED)
		_exit(127);
	count(attach(argv), c, to);
	_exit(0);
}

static void
become(const struct role *role, int mutex, int to)
{
	char numbers[3][12];
	char *argv[ARGUMENTS + 1] = {
		"role",
		"--as",
		(char *)role->name,
		(char *)role->mechanism,
		(char *)role->directory,
		numbers[0],
		numbers[1],
		numbers[2],
		role->unprivileged ? "1" : "0",
	};

	if (mutex >= 0)
		fd_set_cloexec(mutex, false);
	else
		setpgid(0, 0);
	if (role->counters >= 0)
		fd_set_cloexec(role->counters, false);
	fd_set_cloexec(to, false);
	snprintf(numbers[0], sizeof(numbers[0]), "%d", mutex);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", role->counters);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", to);
	execv("/proc/self/exe", argv);
	_exit(119);
}

struct process
process_start(struct accept_mutex *m, const struct role *role)
{
	struct process p = {.pid = -1, .from = -1};
	int ends[2];
	int fd = m != NULL ? accept_mutex_export(m) : -1;

	if ((m != NULL && fd < 0) || pipe2(ends, O_CLOEXEC) < 0)
		return p;
	p.pid = fork();
	if (p.pid == 0)
		become(role, fd, ends[1]);
	fd_close(&fd);
	close(ends[1]);
	p.from = ends[0];
	return p;
}

bool
process_says(const struct process *p, char byte, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = p->from, .events = POLLIN};
	char said;

	while (poll(&poll_fd, 1, timeout_ms) == 1) {
		if (read(p->from, &said, 1) != 1)
			return false;
		if (said == byte)
			return true;
	}
	return false;
}

int
process_end(struct process *p)
{
	int status = 0;

	waitpid(p->pid, &status, 0);
	fd_close(&p->from);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void
process_kill(struct process *p)
{
	kill(p->pid, SIGKILL);
	process_end(p);
}

int
counters_make(struct counters **ret)
{
	int fd = memfd_create("counters", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(**ret)) < 0)
		return -errno;
	*ret = mmap(
		NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *ret == MAP_FAILED ? -errno : fd;
}
