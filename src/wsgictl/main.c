/*
 * main.c - wsgictl: the administrator's hand.
 *
 * The only place of this program that says why something went wrong.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/defs.h"
#include "base/err.h"
#include "wsgictl/command.h"
#include "wsgictl/say.h"
#include "wsgictl/verbs.h"

static const char help[] =
	"usage: wsgictl [options] VERB\n"
	"\n"
	"Starts, stops, reloads and shows a wsgid.\n"
	"\n"
	"  start [OPTIONS OF wsgid]  start it in the background\n"
	"  stop [--now]              finish the running requests, and end\n"
	"  graceful-stop             the same, whatever SignalStyle says\n"
	"  restart                   end all children at once, start new ones\n"
	"  reload, graceful          new configuration and application, "
	"losing\n"
	"                            no request; the old ones stay if the new\n"
	"                            do not start\n"
	"  upgrade                   the program that is installed now takes "
	"over,"
	" losing\n"
	"                            nothing; the old one stays if it fails\n"
	"  scale N                   have N processes until the next reload\n"
	"  status [--json] [--ready] one screen; --ready: fail where no child "
	"serves\n"
	"  fullstatus [--json] [--query]\n"
	"                            and a row for each worker; --query shows "
	"the\n"
	"                            query strings, too\n"
	"  configtest [OPTIONS OF wsgid]\n"
	"                            check the configuration\n"
	"  doctor [--json] [APP or OPTIONS OF wsgid]\n"
	"                            which Python would serve, and can it?\n"
	"  reopen-logs               after they were rotated\n"
	"  log-level [LEVEL]         show it, or set it until the next reload\n"
	"  stacks [PID]              where the threads of children, or of one, "
	"are:\n"
	"                            into the error log\n"
	"  version                   of wsgictl, and of the server\n"
	"\n"
	"Which server, where more than one runs\n"
	"  -c, --config FILE         the one with this configuration\n"
	"  -n, --name NAME           the one of this name: its "
	"configuration's,\n"
	"                            or its port\n"
	"      --pid-file FILE       the one that holds this file\n"
	"      --run-directory DIR   look here\n"
	"\n"
	"      --wait SECONDS        do not wait longer for the effect; 0: "
	"not\n"
	"                            at all\n"
	"  -h, --help                this text\n"
	"\n"
	"wsgictl(8) has the exit status and the JSON.\n";

typedef int do_verb(const struct command *c, struct err *err);

static do_verb *const verbs[] = {
	[VERB_START] = verb_start,
	[VERB_STOP] = verb_stop,
	[VERB_RESTART] = verb_restart,
	[VERB_RELOAD] = verb_reload,
	[VERB_UPGRADE] = verb_upgrade,
	[VERB_SCALE] = verb_scale,
	[VERB_GRACEFUL_STOP] = verb_graceful_stop,
	[VERB_STATUS] = verb_status,
	[VERB_FULLSTATUS] = verb_fullstatus,
	[VERB_CONFIGTEST] = verb_configtest,
	[VERB_DOCTOR] = verb_doctor,
	[VERB_REOPEN_LOGS] = verb_reopen_logs,
	[VERB_LOG_LEVEL] = verb_log_level,
	[VERB_STACKS] = verb_stacks,
	[VERB_VERSION] = verb_version,
};

static int
act(const struct command *c, struct err *err)
{
	char known[512];

	switch (c->verb) {
	case VERB_HELP:
		say("%s", help);
		return EXIT_DONE;
	case VERB_NONE:
		command_list_verbs(known, sizeof(known));
		err_setx(err, EXIT_USAGE,
			"what shall be done? There are %s; \"wsgictl --help\" "
			"tells more",
			known);
		return EXIT_USAGE;
	default:
		return verbs[c->verb](c, err);
	}
}

/* A full disk, say: who asked has not got it. */
static int
check_output(int status, enum verb verb, struct err *err)
{
	bool failed = fflush(stdout) == EOF;
	int code = errno;

	if ((!failed && !ferror(stdout)) || err->text[0] != '\0')
		return status;
	if (failed)
		err_set(err, code, "standard output");
	else /* of what nobody knows any more */
		err_setx(err, EIO,
			"standard output: not all of it could be written");
	if (verb == VERB_STATUS || verb == VERB_FULLSTATUS)
		return STATUS_UNKNOWN;
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

int
main(int argc, char **argv)
{
	struct command c;
	struct err err = {0};
	int status;

	/* "wsgictl status | head" is no failure of ours. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL); /* "start" waits for the end of wsgid */
	if (command_parse(&c, argc, argv, &err) < 0)
		status = EXIT_USAGE;
	else
		status = act(&c, &err);
	status = check_output(status, c.verb, &err);
	if (err.text[0] != '\0')
		say_to(stderr, "wsgictl: %s\n", err.text);
	command_fini(&c);
	return status;
}
