/*
 * no_uring.c - run a command that may not use io_uring.
 *
 *   no_uring EPERM|ENOSYS COMMAND...
 *
 * What the default seccomp profiles of container engines do (EPERM) and what
 * a kernel without io_uring does (ENOSYS).  The filter stays on everything
 * that the command starts.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
deny(unsigned error)
{
	/* 425 to 427 in every architecture's table. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2),
		BPF_JUMP(
			BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int
main(int argc, char **argv)
{
	int error;

	if (argc >= 3 && strcmp(argv[1], "EPERM") == 0)
		error = EPERM;
	else if (argc >= 3 && strcmp(argv[1], "ENOSYS") == 0)
		error = ENOSYS;
	else {
		fprintf(stderr, "usage: no_uring EPERM|ENOSYS COMMAND...\n");
		return 125;
	}
	if (deny((unsigned)error) < 0) {
		perror("no_uring: seccomp");
		return 125;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 126;
}
