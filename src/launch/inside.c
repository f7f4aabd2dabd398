/*
 * inside.c - the child's way into the interpreter: of a library that the loader
 * has put in front of it.  See pythons/inside.h.
 *
 * A program's start calls the C library's __libc_start_main with its main; who
 * comes first has that name, and hands over another main.  All of Python's
 * functions are then those of the interpreter.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exits.h"
#include "base/title.h"
#include "child/begin.h"
#include "pythons/inside.h"

typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *its, int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*loader_fini)(void),
	void *stack_end);

/* The kernel starts a process once. */
static main_function *interpreter;

/* Others that the user wants to have preloaded stay for the programs that the
 * application runs; it has never heard of ours. */
static void
forget_preload(const char *ours)
{
	char *all = getenv("LD_PRELOAD");
	size_t len = strlen(ours);
	char *at = all != NULL ? strstr(all, ours) : NULL;
	int fd;

	if (sscanf(ours, "/proc/self/fd/%d", &fd) == 1)
		(void)close(fd);
	if (at == NULL)
		return;
	len += at[len] != '\0'; /* and the ':' behind it */
	memmove(at, at + len, strlen(at + len) + 1);
	if (all[0] == '\0')
		(void)unsetenv("LD_PRELOAD");
}

static bool
is_child(int argc, char **argv)
{
	return argc > INSIDE_PRELOAD &&
	       strcmp(argv[INSIDE_OPTIONS], INSIDE_OPTIONS_TEXT) == 0 &&
	       strcmp(argv[INSIDE_SCRIPT], INSIDE_SCRIPT_TEXT) == 0;
}

static int
live(int argc, char **argv, char **environment)
{
	char *facts_text;

	if (!is_child(argc, argv))
		return interpreter(argc, argv, environment);
	facts_text = strdup(argv[INSIDE_FACTS]);
	if (facts_text == NULL) {
		fprintf(stderr, "%s: no memory\n", argv[0]);
		return CHILD_EXIT_FATAL;
	}
	forget_preload(argv[INSIDE_PRELOAD]);
	title_init_small(argc, argv);
	argv[INSIDE_PRELOAD] = argv[0];
	return child_begin(
		argc - INSIDE_PRELOAD, argv + INSIDE_PRELOAD, facts_text);
}

start_function __libc_start_main __attribute__((visibility("default")));

int
__libc_start_main(main_function *its, int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*loader_fini)(void),
	void *stack_end)
{
	start_function *start =
		(start_function *)dlsym(RTLD_NEXT, "__libc_start_main");

	interpreter = its;
	return start(live, argc, argv, init, fini, loader_fini, stack_end);
}
