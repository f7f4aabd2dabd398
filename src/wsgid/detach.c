/*
 * detach.c - becoming a daemon that first proves itself.
 *
 * Who starts a daemon wants to know whether it serves.  So the first process
 * stays until the second reports through a pipe; when that dies without a
 * word, the end of the pipe is the report.  The directory is not changed:
 * relative paths of the command line must mean the same at a reload.
 */
#include "wsgid/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"

/* The report: one byte of exit status, then the reason. */
static void __attribute__((noreturn)) wait_for_report(int fd)
{
	struct buf report = {0};
	ssize_t n = 1;

	while (n != 0) {
		char *to = buf_reserve(&report, 1024);

		n = to != NULL ? read(fd, to, 1024) : 0;
		if (n > 0)
			report.len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			break;
	}
	if (report.len == 0) {
		fputs("wsgid: the daemon ended without a word; its ErrorLog "
		      "may tell more\n",
			stderr);
		exit(EXIT_FAILURE);
	}
	if (report.len > 1)
		fprintf(stderr, "wsgid: %s\n", buf_text(&report) + 1);
	exit((unsigned char)report.data[0]);
}

int
detach(struct err *err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe of the daemon");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		int rc = err_set(err, errno, "fork of the daemon");

		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (pid > 0) {
		close(ends[1]);
		wait_for_report(ends[0]);
	}
	close(ends[0]);
	setsid();
	return ends[1];
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
