/*
 * texts.c - what wsgid prints when it is asked about itself.
 */
#include "wsgid/texts.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "built_with.h"
#include "lock/accept_mutex.h"
#include "pythons/choose.h"

static const char help[] =
	"usage: wsgid [options] APP\n"
	"       wsgid [options] -c FILE\n"
	"\n"
	"Serves a Python WSGI application over HTTP.\n"
	"\n"
	"APP is one of\n"
	"  package.module:name      the application's object\n"
	"  package.module           the same, called \"application\"\n"
	"  package.module:make()    a function that makes it\n"
	"  /srv/site/app.wsgi       a script that defines \"application\"\n"
	"\n"
	"  wsgid shop.wsgi:application\n"
	"  wsgid -b 0.0.0.0:8080 -w 4 shop:app\n"
	"  wsgid -b unix:/run/shop.sock --chdir /srv/shop shop:app\n"
	"\n"
	"The usual options; -L lists all of them with their defaults\n"
	"  -b, --bind ADDRESS       where to listen (127.0.0.1:8000); may be\n"
	"                           given several times\n"
	"  -w, --processes N        exactly N children, no more, no fewer\n"
	"      --max-request-workers N\n"
	"                           at most N children\n"
	"      --chdir DIRECTORY    where to look for APP\n"
	"      --python-home DIRECTORY\n"
	"                           a virtual environment\n"
	"      --user NAME          as whom the application runs\n"
	"      --error-log FILE     instead of the terminal\n"
	"      --access-log FILE    one line a request; \"-\" is standard "
	"output\n"
	"\n"
	"  -c, --config FILE        configuration file in Apache's syntax\n"
	"                           (" DEFAULT_CONFIG " when no APP is given)\n"
	"  -D NAME[=VALUE]          define a name for the configuration\n"
	"  -t, --test               check the configuration and exit\n"
	"      --check              import the application and exit with the "
	"result\n"
	"      --daemon             go to the background once it serves\n"
	"      --foreground         stay (the default)\n"
	"  -L, --list               list all directives\n"
	"  -V                       how wsgid was built\n"
	"  -v, --version            its version\n"
	"  -h, --help               this text\n"
	"\n"
	"Ctrl-C stops it, SIGTERM stops it gracefully, SIGHUP reloads it.\n";

void
texts_print_help(void)
{
	fputs(help, stdout);
}

void
texts_print_version(void)
{
	puts("wsgid/" WSGID_VERSION);
}

/* Of the children's programs each; the first line has the title. */
static void
print_pythons(void)
{
	struct choice_places places;
	struct buf list = {0};
	const char *line;

	choice_find_places(&places, LIBEXECDIR);
	choice_list(&list, places.list, places.n, CHILD_PROGRAM);
	printf("  child program  %s where no Python is asked for\n",
		CHILD_PROGRAM);
	for (line = buf_text(&list); *line != '\0';) {
		int len = (int)strcspn(line, "\n");

		printf("  Python         %.*s\n", len, line);
		line += len + (line[len] == '\n');
	}
	buf_fini(&list);
}

void
texts_print_facts(void)
{
	printf("wsgid/%s\n", WSGID_VERSION);
	print_pythons();
	printf("  IoEngine       %sepoll\n", HAVE_URING ? "io_uring, " : "");
	printf("  Mutex          default");
	for (size_t i = 0; accept_mutex_name(i) != NULL; i++)
		printf(", %s", accept_mutex_name(i));
	printf("\n");
	printf("  MPM            prefork, worker\n");
	printf("  systemd        %s\n", HAVE_SYSTEMD ? "yes" : "no");
	printf("  configuration  %s\n", DEFAULT_CONFIG);
	printf("  build          %s\n", BUILD_KIND);
	printf("  compiler       %s\n", COMPILER);
	printf("  hardening      %s\n", HARDENING);
}
