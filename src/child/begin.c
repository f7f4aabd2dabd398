/*
 * begin.c - a child's program is started by the master and by nobody else.  See
 * begin.h.
 *
 * "-V" is for the build, which sees by it that the loader finds the library of
 * the Python that this was made for.
 */
#include "child/begin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/exits.h"
#include "base/log.h"
#include "base/title.h"
#include "child/child.h"
#include "child/check.h"
#include "net/inherit.h"
#include "python/app.h"
#include "pythons/facts.h"

enum { HEAP_PIECE = 8 * 1024 * 1024 };

static int
print_version(const struct facts *f, const char *facts_text)
{
	printf("Python %s\n%s", app_python_version(), facts_text);
	return strcmp(app_python_version(), f->version) == 0
		       ? CHILD_EXIT_OK
		       : CHILD_EXIT_CONFIG;
}

/* Whom the master has made another user before the exec the kernel takes for an
 * ordinary process of that one's, into which its other processes may look; see
 * base/privileges.c.  Nobody but the master can have made what it gave us. */
static void
hide_from_others(void)
{
	struct stat st;

	if (fstat(INHERIT_CONFIG, &st) == 0 && st.st_uid != geteuid())
		(void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
}

static int
live(int argc, char **argv, const struct facts *facts, const char *facts_text)
{
	const char *word = argc == 2 ? argv[1] : "";
	struct inheritance in;
	struct err err = {0};

	if (strcmp(word, "-V") == 0)
		return print_version(facts, facts_text);
	hide_from_others();
	if (strcmp(word, INHERIT_CHECK) == 0)
		return check_run(facts, false);
	if (strcmp(word, INHERIT_DOCTOR) == 0)
		return check_run(facts, true);
	if (inherit_parse(&in, word, &err) < 0) {
		fprintf(stderr, "%s: %s; run \"wsgid APP\"\n", argv[0],
			err.text);
		return CHILD_EXIT_FATAL;
	}
	title_init_small(argc, argv);
	return child_run(&in, facts);
}

/* What ps(1) calls the process, also inside an interpreter. */
static void
take_name(const struct facts *f)
{
	char name[16];

	snprintf(name, sizeof(name), "wsgid-python%s", f->abi);
	(void)prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

/* What a request has taken and given back is there for the next one: glibc gives what is
 * free at the end of the heap back to the kernel beyond 128 KiB, page by page to be made
 * anew, until a larger piece has been freed, and from then on beyond twice as much as
 * that.  Applications whose pieces are small never free one. */
static void
keep_heap(void)
{
	void *volatile piece = malloc(HEAP_PIECE);

	free(piece);
}

int
child_begin(int argc, char **argv, const char *facts_text)
{
	struct facts facts;
	struct err err = {0};
	int status;

	log_open(STDERR_FILENO, LOG_RELAY);
	(void)unsetenv(LOG_SECRET); /* the application need not know */
	if (facts_parse(&facts, str_of(facts_text), &err) < 0) {
		fprintf(stderr, "%s %s\n", argv[0], err.text);
		return CHILD_EXIT_FATAL;
	}
	take_name(&facts);
	keep_heap();
	status = live(argc, argv, &facts, facts_text);
	facts_fini(&facts);
	return status;
}
