/*
 * tracebacks.c - what the threads of this child are doing.  See tracebacks.h.
 *
 * Whoever has the GIL for longer than PATIENCE_S is in no line of Python, and all
 * others wait for it: then the handler may run without it, as a child that nobody can
 * ask is what it is for.  Where the child is about to be killed it runs at once.
 */
#include "child/tracebacks.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/signals.h"
#include "base/thread.h"
#include "python/app.h"

enum {
	PATIENCE_S = 1,     /* with who has the GIL */
	WRITING_S = 1,      /* a thread may not hear the signal */
	STACK = 256 * 1024, /* the application's finalizers may run here */
};

/* One for the process, as a handler knows of no other. */
static struct {
	struct app *app;          /* NULL: there is no thread */
	struct sigaction handler; /* faulthandler's */
	pthread_t thread;
	timer_t patience;
	sem_t asked, written;
	_Atomic pid_t whom; /* the thread in question */
	_Atomic bool told;  /* to write */
	_Atomic bool ending;
} us;

/* --- who is told to write ----------------------------------------------------------- */

/* Once for each time that somebody asks. */
static void
tell(void)
{
	if (!atomic_exchange(&us.told, true))
		signal_ask_thread_at_once(atomic_load(&us.whom));
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (info->si_code == SI_TIMER) {
		tell();
	} else if (signal_is_at_once(info)) {
		us.handler.sa_handler(number);
		sem_post(&us.written);
	} else {
		sem_post(&us.asked);
	}
	errno = saved;
}

static void
be_patient(time_t seconds)
{
	const struct itimerspec until = {.it_value.tv_sec = seconds};

	(void)timer_settime(us.patience, 0, &until, NULL);
}

/* False when it has not: it has ended, or does not hear signals. */
static bool
has_written(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WRITING_S;
	while (sem_clockwait(&us.written, CLOCK_MONOTONIC, &until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* Nobody else runs Python meanwhile. */
static void
write_with_gil(void *unused)
{
	(void)unused;
	be_patient(0);
	tell();
	if (!has_written())
		us.handler.sa_handler(signal_traceback());
}

/* --- the thread ---------------------------------------------------------------------- */

static bool
open_patience(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = signal_traceback(),
		._sigev_un._tid = gettid(),
	};

	return timer_create(CLOCK_MONOTONIC, &event, &us.patience) == 0;
}

static void *
answer(void *unused)
{
	bool patient = open_patience();

	(void)unused;
	pthread_setname_np(pthread_self(), "wsgid-stacks");
	for (;;) {
		while (sem_wait(&us.asked) < 0)
			continue;
		if (atomic_load(&us.ending))
			break;
		while (sem_trywait(&us.written) == 0)
			continue;
		atomic_store(&us.told, false);
		if (patient) {
			be_patient(PATIENCE_S);
			app_with_gil(us.app, write_with_gil, NULL);
		} else {
			tell();
		}
		atomic_store(&us.whom, getpid());
	}
	if (patient)
		(void)timer_delete(us.patience);
	return NULL;
}

/* --- beginning and end ---------------------------------------------------------------- */

static bool
has_handler(void)
{
	return sigaction(signal_traceback(), NULL, &us.handler) == 0 &&
	       us.handler.sa_handler != SIG_IGN &&
	       us.handler.sa_handler != SIG_DFL;
}

void
tracebacks_start(struct app *app)
{
	struct sigaction action = {.sa_sigaction = on_signal};
	int rc;

	if (us.app != NULL || !has_handler())
		return;
	sem_init(&us.asked, 0, 0);
	sem_init(&us.written, 0, 0);
	atomic_store(&us.whom, getpid());
	atomic_store(&us.ending, false);
	us.app = app;
	rc = thread_start_helper(
		&us.thread, STACK, signal_traceback(), answer, NULL);
	if (rc < 0) {
		us.app = NULL;
		errno = -rc;
		log_warn("child", "no thread to show stacks with");
		return;
	}
	action.sa_mask = us.handler.sa_mask;
	action.sa_flags = us.handler.sa_flags | SA_SIGINFO;
	(void)sigaction(signal_traceback(), &action, NULL);
}

void
tracebacks_stop(void)
{
	struct app *app = us.app;

	if (app == NULL)
		return;
	(void)sigaction(signal_traceback(), &us.handler, NULL);
	atomic_store(&us.ending, true);
	sem_post(&us.asked);
	app_leave(app);
	pthread_join(us.thread, NULL);
	app_enter(app);
	us.app = NULL;
}

void
tracebacks_ask(pid_t tid)
{
	atomic_store(&us.whom, tid);
	(void)kill(getpid(), signal_traceback());
}

void
tracebacks_write(struct app *app)
{
	app_enter(app);
	signal_ask_thread_at_once(gettid());
	app_leave(app);
}
