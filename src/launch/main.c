/*
 * main.c - a program of the children that runs inside the interpreter: it
 * becomes the interpreter, with the child in front.  See pythons/inside.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/exits.h"
#include "base/log.h"
#include "net/inherit.h"
#include "pythons/facts.h"
#include "pythons/inside.h"

#define VARIABLE "LD_PRELOAD"

/* What the loader calls the library.  ':' and ' ' it takes for the end of a
 * path, and '$' for a variable: then it is a descriptor, which the child closes.
 * Debuggers prefer the path. */
static int
name_library(char to[PATH_MAX], struct err *err)
{
	int rc = inside_library("/proc/self/exe", to), fd;

	if (rc == -ENOENT && access("/proc/self", F_OK) < 0)
		return err_setx(err, EIO, "/proc is not mounted: mount it");
	if (rc < 0)
		return err_set(err, -rc, "/proc/self/exe");
	fd = open(to, O_RDONLY);
	if (fd < 0)
		return err_set(err, errno, "%s", to);
	if (strpbrk(to, ": $") != NULL)
		snprintf(to, PATH_MAX, "/proc/self/fd/%d", fd);
	else
		(void)close(fd);
	return 0;
}

/* In front of what else is to be preloaded: "LD_PRELOAD=ours:others". */
static int
preload(const char *ours)
{
	const char *others = getenv(VARIABLE);
	struct buf list = {0};
	int rc;

	buf_add_text(&list, ours);
	if (others != NULL && others[0] != '\0')
		buf_printf(&list, ":%s", others);
	rc = setenv(VARIABLE, buf_text(&list), 1) < 0 || buf_failed(&list)
		     ? -ENOMEM
		     : 0;
	buf_fini(&list);
	return rc;
}

static int
become_interpreter(
	int argc, char **argv, const struct facts *facts, struct err *err)
{
	char library[PATH_MAX];
	AUTO_FREE char **words =
		calloc((size_t)argc + INSIDE_WORDS, sizeof(char *));
	int rc = name_library(library, err);

	if (rc < 0)
		return rc;
	if (words == NULL || preload(library) < 0)
		return err_set(err, ENOMEM, "%s", facts->executable);
	words[0] = argv[0];
	words[INSIDE_OPTIONS] = (char[]){INSIDE_OPTIONS_TEXT};
	words[INSIDE_SCRIPT] = (char[]){INSIDE_SCRIPT_TEXT};
	words[INSIDE_FACTS] = (char *)(uintptr_t)facts_of_program;
	words[INSIDE_PRELOAD] = library;
	memcpy(words + INSIDE_WORDS, argv + 1, (size_t)argc * sizeof(char *));
	execv(facts->executable, words);
	return err_set(err, errno, "%s", facts->executable);
}

/* As whoever has started us is told what goes wrong: by the log of a server, or
 * as a trial tells. */
static void
complain(const char *word, const struct err *err)
{
	static const char what[] = "the interpreter cannot be executed";

	if (strcmp(word, INHERIT_DOCTOR) == 0)
		printf("problem: %s: %s\n", what, err->text);
	else if (strcmp(word, INHERIT_CHECK) == 0)
		fprintf(stderr, "wsgid: %s: %s\n", what, err->text);
	else
		log_errorx("launch", "%s: %s", what, err->text);
}

int
main(int argc, char **argv)
{
	struct facts facts;
	struct err err = {0};

	log_open(STDERR_FILENO, LOG_RELAY);
	if (facts_parse(&facts, str_of(facts_of_program), &err) < 0) {
		fprintf(stderr, "%s %s\n", argv[0], err.text);
		return CHILD_EXIT_FATAL;
	}
	(void)become_interpreter(argc, argv, &facts, &err);
	complain(argc > 1 ? argv[1] : "", &err);
	facts_fini(&facts);
	return CHILD_EXIT_CONFIG;
}
