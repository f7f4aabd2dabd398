/*
 * detach.c - becoming a daemon that first proves itself.
 *
 * Who starts a daemon wants to know whether it serves.  So the first process
 * stays until the second reports through a pipe; when that dies without a
 * word, the end of the pipe is the report.  Ctrl-C until then stops both.
 * The directory is not changed: relative paths of the command line must mean
 * the same at a reload.
 */
#include "wsgid/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/printable.h"

/* The signals that would end the command; nohup(1) takes one out. */
static sigset_t
ends(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction now;
	sigset_t ret;

	sigemptyset(&ret);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (sigaction(numbers[i], NULL, &now) == 0 &&
			now.sa_handler != SIG_IGN)
			sigaddset(&ret, numbers[i]);
	return ret;
}

/* More of the report; 0 at its end. */
static ssize_t
read_report(struct buf *report, int fd)
{
	char *to = buf_reserve(report, 1024);
	ssize_t n = to != NULL ? read(fd, to, 1024) : 0;

	if (n > 0)
		report->len += (size_t)n;
	return n < 0 && errno == EINTR ? 1 : n;
}

/* It has not reported. */
static void
say_end(pid_t daemon)
{
	int status;

	if (waitpid(daemon, &status, 0) != daemon)
		status = EXIT_FAILURE << 8;
	if (WIFSIGNALED(status))
		fprintf(stderr, "wsgid: killed by signal %d before it served\n",
			WTERMSIG(status));
	else if (status == 0)
		fputs("wsgid: stopped before it served\n", stderr);
	else
		fputs("wsgid: the daemon ended without a word; its ErrorLog "
		      "may tell more\n",
			stderr);
}

/* The report: one byte of exit status, then the reason.  Signals are the
 * daemon's, as long as nobody knows whether it serves. */
static void __attribute__((noreturn))
wait_for_report(pid_t daemon, int fd, const sigset_t *signals)
{
	struct pollfd either[] = {{.fd = fd, .events = POLLIN},
		{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN}};
	struct signalfd_siginfo signal;
	struct buf report = {0};

	for (;;) {
		if (poll(either, ARRAY_LEN(either), -1) < 0)
			continue; /* EINTR, by SIGCONT */
		if ((either[1].revents & POLLIN) != 0 &&
			read(either[1].fd, &signal, sizeof(signal)) > 0)
			kill(daemon, SIGTERM);
		if (either[0].revents != 0 && read_report(&report, fd) <= 0)
			break;
	}
	if (report.len == 0) {
		say_end(daemon);
		exit(EXIT_FAILURE);
	}
	/* Behind the exit status a sentence. */
	report.len =
		1 + printable_clean(report.data + 1, report.len - 1, "\n\t");
	if (report.len > 1)
		fprintf(stderr, "wsgid: %s\n", buf_text(&report) + 1);
	/* Who hears that it has failed may start it again: its pid file and its
	 * sockets go with it. */
	if (report.data[0] != 0)
		(void)waitpid(daemon, NULL, 0);
	exit((unsigned char)report.data[0]);
}

/* A lock or a pipe of who started it must not live as long as the daemon: all
 * but standard input, output and error, and the sockets passed behind them, is
 * closed, and fd, which is returned as another. */
static int
let_go_of_inherited(int fd, int n_passed)
{
	const int first = STDERR_FILENO + 1 + n_passed;

	if (fd != first && dup3(fd, first, O_CLOEXEC) < 0)
		return fd;
	(void)close_range((unsigned)first + 1, ~0U, 0);
	return first;
}

/* The sockets are for the process that systemd has started, by its number, or
 * since 258 by that of its pidfd; who serves is another now. */
static int
pass_sockets_on(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	unsetenv("LISTEN_PIDFDID");
	return setenv("LISTEN_PID", pid, 1) < 0 ? -errno : 0;
}

int
detach(int n_passed, struct err *err)
{
	const sigset_t signals = ends();
	sigset_t before;
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe of the daemon");
	fflush(NULL);
	sigprocmask(SIG_BLOCK, &signals, &before);
	pid = fork();
	if (pid > 0) {
		close(report[1]);
		wait_for_report(pid, report[0], &signals);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(report[0]);
	if (pid < 0) {
		int rc = err_set(err, errno, "fork of the daemon");

		close(report[1]);
		return rc;
	}
	setsid();
	if (n_passed > 0 && pass_sockets_on() < 0) {
		close(report[1]);
		return err_set(err, ENOMEM, "sockets passed by systemd");
	}
	return let_go_of_inherited(report[1], n_passed);
}

static void
let_go_of_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		(void)dup2(fd, i);
	close(fd);
}

void
detach_report(int fd, int status, const char *text)
{
	char byte = (char)status;

	if (status == 0)
		let_go_of_terminal();
	(void)fd_write_all(fd, &byte, 1);
	(void)fd_write_all(fd, text, strlen(text));
	close(fd);
}
