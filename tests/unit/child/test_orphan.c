/*
 * test_orphan.c - a child that loses its master lets nobody in any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/orphan.h"

enum { PATIENCE_MS = 20000 };

struct family {
	int listener;
	int master_end, child_end; /* of the channel */
	int said[2];               /* the child writes, the test reads */
	uint32_t *shared;
	pid_t parent;
};

static bool
listens(const struct family *f)
{
	socklen_t len = sizeof(int);
	int value = 0;

	assert_int_equal(getsockopt(f->listener, SOL_SOCKET, SO_ACCEPTCONN,
				 &value, &len),
		0);
	return value == 1;
}

/* The child says when it is prepared, and when a signal has come. */
static void
be_child(struct family *f)
{
	sigset_t all, none;

	/* None comes before it is waited for. */
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close(f->master_end);
	orphan_prepare(&(struct orphan_settings){
		.channel = f->child_end,
		.listeners = &f->listener,
		.n_listeners = 1,
		.shared = f->shared,
	});
	(void)!write(f->said[1], "p", 1);
	sigsuspend(&none);
	(void)!write(f->said[1], "s", 1);
	_exit(0);
}

static char
hear(const struct family *f)
{
	struct pollfd p = {.fd = f->said[0], .events = POLLIN};
	char byte = 0;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(read(f->said[0], &byte, 1), 1);
	return byte;
}

/* We, a parent, and its child; the parent may be the master or not. */
static void
found(struct family *f, bool parent_is_master)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int ends[2];

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(f->listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(pipe(f->said), 0);
	f->master_end = ends[0];
	f->child_end = ends[1];
	f->shared = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f->shared, MAP_FAILED);
	/* What the parent leaves behind is ours to bury. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Without the thread that a sanitizer starts in what is forked: it would
	 * keep the descriptors open when the one that the child hears of has
	 * ended.  A master has one thread. */
	f->parent = _Fork();
	if (f->parent == 0) {
		if (fork() == 0)
			be_child(f);
		if (!parent_is_master)
			close(f->master_end);
		pause();
		_exit(0);
	}
	if (parent_is_master)
		close(f->master_end);
	assert_int_equal(hear(f), 'p');
}

static void
kill_parent(const struct family *f)
{
	kill(f->parent, SIGKILL);
	assert_int_equal(hear(f), 's');
}

static void
disperse(struct family *f)
{
	assert_int_equal(wait(NULL) > 0, 1);
	assert_int_equal(wait(NULL) > 0, 1);
	munmap(f->shared, sizeof(*f->shared));
	close(f->listener);
	close(f->child_end);
	close(f->said[0]);
	close(f->said[1]);
}

static void
test_the_death_of_the_master_shuts_the_listeners(void **state)
{
	struct family f;

	(void)state;
	found(&f, true);
	assert_true(listens(&f));
	kill_parent(&f);
	assert_false(listens(&f));
	disperse(&f);
}

static void
test_listeners_that_others_go_on_with_stay_open(void **state)
{
	struct family f;

	(void)state;
	found(&f, true);
	*f.shared = 1;
	kill_parent(&f);
	assert_true(listens(&f));
	disperse(&f);
}

static void
test_the_death_of_another_parent_means_nothing(void **state)
{
	struct family f;

	(void)state;
	found(&f, false);
	kill_parent(&f);
	assert_true(listens(&f));
	close(f.master_end);
	disperse(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_death_of_the_master_shuts_the_listeners),
		cmocka_unit_test(
			test_listeners_that_others_go_on_with_stay_open),
		cmocka_unit_test(
			test_the_death_of_another_parent_means_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
