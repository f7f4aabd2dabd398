/*
 * main.c - the child program, started by the master and by nobody else.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/exits.h"
#include "base/log.h"
#include "base/title.h"
#include "child/child.h"
#include "net/inherit.h"

int
main(int argc, char **argv)
{
	struct inheritance in;
	struct err err = {0};

	log_open(STDERR_FILENO, LOG_RELAY);
	if (inherit_parse(&in, argc == 2 ? argv[1] : "", &err) < 0) {
		fprintf(stderr, "%s: %s; run \"wsgid APP\"\n", argv[0],
			err.text);
		return CHILD_EXIT_FATAL;
	}
	title_init(argc, argv);
	return child_run(&in);
}
