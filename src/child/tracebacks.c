/*
 * tracebacks.c - what the threads of this child are doing.  See tracebacks.h.
 *
 * Whoever keeps the GIL may be in no line of Python for as long as he likes, and the
 * thread that waits for it cannot tell him from many who hand it round.  But a handler
 * that interrupts who has it runs while nobody else can: so when PATIENCE_S are over
 * all threads are asked, and the one that has it answers.
 *
 * A question has a number, and one thread answers it: who hears of it too late, as he
 * had his signals blocked, finds that it is not open any more, and leaves the frames
 * of others alone.
 */
#include "child/tracebacks.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/thread.h"
#include "python/app.h"

enum {
	PATIENCE_S = 1, /* with who has the GIL */
	TRIES = 3, /* who never hears keeps each signal, and they are few */
	HEARING_MS = 200,   /* a thread may not hear the signal; others wait */
	WORKERS = 64,       /* in question at a time */
	STACK = 256 * 1024, /* the application's finalizers may run here */
};

/* One for the process, as a handler knows of no other. */
static struct {
	struct app *app;          /* NULL: there is no thread */
	bool heard;               /* the handler is ours */
	struct sigaction handler; /* faulthandler's */
	pthread_t thread;
	timer_t patience;
	bool patient; /* there is that timer */
	_Atomic int tries;
	sem_t asked, written;
	_Atomic int question; /* its number while it is open; else an odd one */
	_Atomic bool inside;  /* the thread has the GIL */
	_Atomic bool ending;
	/* The threads in question: put in by one thread, taken out by ours. */
	_Atomic pid_t workers[WORKERS];
	_Atomic unsigned n_put, n_taken;
} us;

/* --- who writes --------------------------------------------------------------------- */

/* True for one who asks, and then the question is his. */
static bool
take_question(int question)
{
	return atomic_compare_exchange_strong(
		&us.question, &question, question + 1);
}

static void
answer_here(int question)
{
	if (!atomic_load(&us.inside) && !app_is_inside())
		return;
	if (!take_question(question))
		return;
	us.handler.sa_handler(signal_traceback());
	sem_post(&us.written);
}

static void
be_patient(time_t seconds)
{
	const struct itimerspec until = {
		.it_value.tv_sec = seconds, .it_interval.tv_sec = seconds};

	if (us.patient)
		(void)timer_settime(us.patience, 0, &until, NULL);
}

/* Who has it hears of it while he has. */
static void
ask_all(void)
{
	int question = atomic_load(&us.question);

	if (atomic_fetch_add(&us.tries, 1) + 1 >= TRIES)
		be_patient(0);
	if (question % 2 == 0)
		signal_ask_threads(question);
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
	int saved = errno, question = signal_question(info);

	(void)context;
	if (info->si_code == SI_TIMER)
		ask_all();
	else if (question != 0)
		answer_here(question);
	else if (signal_is_at_once(info))
		us.handler.sa_handler(number);
	else
		sem_post(&us.asked);
	errno = saved;
}

/* --- with the GIL ------------------------------------------------------------------ */

static struct timespec
in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* False when nobody has by then. */
static bool
has_written(const struct timespec *until)
{
	while (sem_clockwait(&us.written, CLOCK_MONOTONIC, until) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

static void
await_written(void)
{
	while (sem_wait(&us.written) < 0)
		continue;
}

static void
ask(pid_t whom, int question)
{
	struct timespec until = in_ms(HEARING_MS);

	if (signal_ask_thread(whom, question) && has_written(&until))
		return;
	if (take_question(question))
		us.handler.sa_handler(signal_traceback());
	else
		await_written(); /* he has begun */
}

/* There is none: all others stop.  Who does not, as he is in no line of Python, is asked
 * when patience is over. */
static void
write_without_gil(void)
{
	int question;

	app_write_stacks(us.app);
	be_patient(0);
	question = atomic_load(&us.question);
	if (question % 2 == 0)
		(void)take_question(question);
}

/* Nobody else runs Python meanwhile. */
static void
write_with_gil(void *arg)
{
	pid_t whom = *(pid_t *)arg;
	int question;

	if (UNLIKELY(!app_has_gil())) {
		write_without_gil();
		return;
	}
	be_patient(0);
	question = atomic_load(&us.question);
	if (question % 2 != 0)
		return; /* somebody had the GIL for long */
	atomic_store(&us.inside, true);
	ask(whom, question);
	atomic_store(&us.inside, false);
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

/* Who asks from outside means none in particular. */
static pid_t
take_worker(void)
{
	unsigned n = atomic_load(&us.n_taken);
	pid_t worker;

	if (n == atomic_load(&us.n_put))
		return getpid();
	worker = atomic_load(&us.workers[n % WORKERS]);
	atomic_store(&us.n_taken, n + 1);
	return worker;
}

static void
begin_question(void)
{
	int before = atomic_load(&us.question);

	while (sem_trywait(&us.written) == 0)
		continue;
	atomic_store(&us.tries, 0);
	atomic_store(&us.question, before > INT_MAX - 4 ? 2 : before + 1);
	be_patient(PATIENCE_S);
}

static void *
answer(void *unused)
{
	(void)unused;
	us.patient = open_patience();
	pthread_setname_np(pthread_self(), "wsgid-stacks");
	for (;;) {
		pid_t whom;

		while (sem_wait(&us.asked) < 0)
			continue;
		if (atomic_load(&us.ending))
			break;
		whom = take_worker();
		begin_question();
		app_with_gil(us.app, write_with_gil, &whom);
	}
	if (us.patient)
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

/* What is asked from now on waits for the thread. */
static void
hear(void)
{
	struct sigaction action = {.sa_sigaction = on_signal};

	action.sa_mask = us.handler.sa_mask;
	action.sa_flags = us.handler.sa_flags | SA_SIGINFO;
	us.heard = sigaction(signal_traceback(), &action, NULL) == 0;
}

static bool
prepare(void)
{
	if (us.heard)
		return true;
	if (!has_handler())
		return false;
	sem_init(&us.asked, 0, 0);
	sem_init(&us.written, 0, 0);
	atomic_store(&us.question, 1);
	hear();
	return us.heard;
}

void
tracebacks_start(struct app *app)
{
	int rc;

	if (us.app != NULL || !prepare())
		return;
	atomic_store(&us.ending, false);
	us.app = app;
	rc = thread_start_helper(
		&us.thread, STACK, signal_traceback(), answer, NULL);
	if (rc == 0)
		return;
	us.app = NULL;
	tracebacks_forget();
	errno = -rc;
	log_warn("child", "no thread to show stacks with");
}

void
tracebacks_pause(void)
{
	struct app *app = us.app;

	if (app == NULL)
		return;
	atomic_store(&us.ending, true);
	sem_post(&us.asked);
	app_leave(app);
	pthread_join(us.thread, NULL);
	app_enter(app);
	us.app = NULL;
}

void
tracebacks_forget(void)
{
	if (us.heard)
		(void)sigaction(signal_traceback(), &us.handler, NULL);
	us.heard = false;
}

void
tracebacks_ask(pid_t tid)
{
	unsigned n = atomic_load(&us.n_put);

	if (n - atomic_load(&us.n_taken) < WORKERS) {
		atomic_store(&us.workers[n % WORKERS], tid);
		atomic_store(&us.n_put, n + 1);
	}
	(void)kill(getpid(), signal_traceback());
}

void
tracebacks_write(struct app *app)
{
	app_enter(app);
	if (LIKELY(app_has_gil()))
		signal_ask_thread_at_once(gettid());
	else
		app_write_stacks(app);
	app_leave(app);
}
