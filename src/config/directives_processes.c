/*
 * directives_processes.c - the rows of THE TABLE about processes: how many there
 * are, as whom they run, how they come and go.  See directives.c.
 */
#include "config/directive.h"

#include "base/defs.h"
#include "config/config.h"
#include "config/directives_priv.h"
#include "config/values.h"

static const char *const mpms[] = {"prefork", "worker", NULL};
static const char *const signal_styles[] = {"wsgid", "apache", NULL};

enum { PROCESSES_MAX = 200000 };

static const struct directive rows[] = {
	{
		.name = "MPM",
		.option = "--mpm",
		.type = &value_choice,
		.offset = AT(mpm),
		.initial = "prefork",
		.example = "prefork",
		.words = mpms,
		.change = DIRECTIVE_AT_RESTART,
		.help = "What serves requests: prefork (processes of one "
			"thread) or worker (processes of several threads)",
	},
	{
		.name = "Processes",
		.option = "--processes",
		.short_option = "-w",
		.other_option = "--workers",
		.other_environment = "WEB_CONCURRENCY",
		.type = &value_number,
		.offset = AT(processes),
		.example = "4",
		.min = 1,
		.max = PROCESSES_MAX,
		.help = "Fix the pool at so many children, instead of letting "
			"it grow and shrink",
	},
	{
		.name = "ThreadsPerChild",
		.option = "--threads-per-child",
		.other_option = "--threads",
		.type = &value_auto_number,
		.offset = AT(threads_per_child),
		.initial = "auto",
		.example = "8",
		.max = COUNT_MAX,
		.help = "Threads of each child; auto is 8 with MPM worker; "
			"more than 1 selects it where no MPM is named",
	},
	{
		.name = "ThreadLimit",
		.option = "--thread-limit",
		.type = &value_auto_number,
		.offset = AT(thread_limit),
		.initial = "auto",
		.example = "64",
		.max = COUNT_MAX,
		.change = DIRECTIVE_AT_RESTART,
		.help = "To what ThreadsPerChild can be raised without a "
			"restart; auto is 64 or ThreadsPerChild",
	},
	{
		.name = "ThreadStackSize",
		.option = "--thread-stack-size",
		.type = &value_size,
		.offset = AT(thread_stack_size),
		.initial = "0",
		.example = "8m",
		.max = INT64_C(1) << 30,
		.help = "Bytes of the stack of each thread of MPM worker; 0 is "
			"what the system gives",
	},
	{
		.name = "StartServers",
		.option = "--start-servers",
		.type = &value_auto_number,
		.offset = AT(start_servers),
		.initial = "auto",
		.example = "4",
		.max = COUNT_MAX,
		.help = "Children to begin with; auto is one for each CPU",
	},
	{
		.name = "MinSpareServers",
		.option = "--min-spare-servers",
		.type = &value_number,
		.offset = AT(min_spare_servers),
		.initial = "1",
		.example = "1",
		.max = COUNT_MAX,
		.help = "MPM prefork: start children when fewer than these are "
			"idle",
	},
	{
		.name = "MaxSpareServers",
		.option = "--max-spare-servers",
		.type = &value_auto_number,
		.offset = AT(max_spare_servers),
		.initial = "auto",
		.example = "10",
		.max = COUNT_MAX,
		.help = "MPM prefork: retire children when more are idle; auto "
			"is the CPUs, and more than MinSpareServers",
	},
	{
		.name = "MinSpareThreads",
		.option = "--min-spare-threads",
		.type = &value_auto_number,
		.offset = AT(min_spare_threads),
		.initial = "auto",
		.example = "8",
		.max = COUNT_MAX,
		.help = "MPM worker: start children when fewer threads are "
			"idle; auto is half of ThreadsPerChild",
	},
	{
		.name = "MaxSpareThreads",
		.option = "--max-spare-threads",
		.type = &value_auto_number,
		.offset = AT(max_spare_threads),
		.initial = "auto",
		.example = "32",
		.max = COUNT_MAX,
		.help = "MPM worker: retire children when more threads are "
			"idle; auto is ThreadsPerChild for each CPU",
	},
	{
		.name = "MaxRequestWorkers",
		.alias = "MaxClients",
		.option = "--max-request-workers",
		.alias_option = "--max-clients",
		.type = &value_auto_number,
		.offset = AT(max_request_workers),
		.initial = "auto",
		.example = "16",
		.max = COUNT_MAX,
		.help = "How many requests run at once; auto is 4 for each "
			"CPU, or with MPM worker 2 children for each",
	},
	{
		.name = "ServerLimit",
		.option = "--server-limit",
		.type = &value_auto_number,
		.offset = AT(server_limit),
		.initial = "auto",
		.example = "256",
		.max = COUNT_MAX,
		.change = DIRECTIVE_AT_RESTART,
		.help = "To how many children the pool can be made to grow "
			"without a restart; auto is 256 or what it needs",
	},
	{
		.name = "MaxConnectionsPerChild",
		.alias = "MaxRequestsPerChild",
		.option = "--max-connections-per-child",
		.alias_option = "--max-requests-per-child",
		.type = &value_number,
		.offset = AT(max_connections_per_child),
		.initial = "0",
		.example = "10000",
		.max = COUNT_MAX,
		.help = "Replace a child after so many connections; 0 is never",
	},
	{
		.name = "MaxRequests",
		.option = "--max-requests",
		.type = &value_number,
		.offset = AT(max_requests),
		.initial = "0",
		.example = "10000",
		.max = COUNT_MAX,
		.help = "Replace a child after so many requests; 0 is never",
	},
	{
		.name = "MaxRequestsJitter",
		.option = "--max-requests-jitter",
		.type = &value_number,
		.offset = AT(max_requests_jitter),
		.initial = "0",
		.example = "1000",
		.max = COUNT_MAX,
		.help = "Add up to so many requests to MaxRequests, by chance, "
			"so that not all children go together",
	},
	{
		.name = "RestartInterval",
		.option = "--restart-interval",
		.type = &value_time,
		.offset = AT(restart_interval),
		.initial = "0",
		.example = "24h",
		.max = YEAR,
		.help = "Replace a child that has served for so long, and by "
			"chance up to a tenth longer; 0 is never",
	},
	{
		.name = "MaxMemoryPerChild",
		.option = "--max-memory-per-child",
		.type = &value_size,
		.offset = AT(max_memory_per_child),
		.initial = "0",
		.example = "500m",
		.max = INT64_C(1) << 50,
		.help = "Replace a child that shares so many bytes of memory "
			"with no other process; 0 is never",
	},
	{
		.name = "GracefulShutdownTimeout",
		.option = "--graceful-shutdown-timeout",
		.type = &value_time,
		.offset = AT(graceful_shutdown_timeout),
		.initial = "30s",
		.example = "30s",
		.max = YEAR,
		.help = "How long a graceful stop waits for requests that are "
			"running; 0 is as long as they take",
	},
	{
		.name = "WorkerDrainTimeout",
		.option = "--worker-drain-timeout",
		.type = &value_time,
		.offset = AT(worker_drain_timeout),
		.initial = "60s",
		.example = "60s",
		.max = YEAR,
		.help = "How long a child that is being replaced may finish "
			"its "
			"requests; 0 is as long as they take",
	},
	{
		.name = "StartupTimeout",
		.option = "--startup-timeout",
		.type = &value_time,
		.offset = AT(startup_timeout),
		.initial = "60s",
		.example = "60s",
		.max = YEAR,
		.help = "How long a child may take until the application is "
			"imported and, with WSGIWarmUp, warm; 0 is no limit",
	},
	{
		.name = "IdleExit",
		.option = "--idle-exit",
		.type = &value_time,
		.offset = AT(idle_exit),
		.initial = "0",
		.example = "60s",
		.max = YEAR,
		.help = "End after so long without a client, to be started "
			"again by systemd's socket; 0 is never",
	},
	{
		.name = "SignalStyle",
		.option = "--signal-style",
		.type = &value_choice,
		.offset = AT(signal_style),
		.initial = "wsgid",
		.example = "wsgid",
		.words = signal_styles,
		.help = "What signals mean: wsgid (TERM stops gracefully) or "
			"apache (Apache's own meaning)",
	},
	{
		.name = "User",
		.option = "--user",
		.type = &value_text,
		.offset = AT(user),
		.example = "www-data",
		.help = "Who runs the children when started as root; else "
			"$SUDO_USER, www-data or nobody",
	},
	{
		.name = "Group",
		.option = "--group",
		.type = &value_text,
		.offset = AT(group),
		.example = "www-data",
		.help = "The group of the children; else the one of User",
	},
	{
		.name = "AllowRoot",
		.option = "--allow-root",
		.type = &value_flag,
		.offset = AT(allow_root),
		.initial = "Off",
		.example = "On",
		.help = "Let the application run as root when User says so",
	},
	{
		.name = "RunDirectory",
		.option = "--run-directory",
		.type = &value_path,
		.offset = AT(run_directory),
		.example = "/run/wsgid",
		.change = DIRECTIVE_AT_RESTART,
		.help = "For the pid file, the control socket and the "
			"scoreboard; else $RUNTIME_DIRECTORY or /run/wsgid",
	},
	{
		.name = "PidFile",
		.option = "--pid-file",
		.type = &value_path,
		.offset = AT(pid_file),
		.example = "/run/wsgid/wsgid.pid",
		.change = DIRECTIVE_AT_RESTART,
		.help = "A second file that names the master's process, beside "
			"NAME.pid in RunDirectory",
	},
	{
		.name = "ControlGroup",
		.option = "--control-group",
		.type = &value_text,
		.offset = AT(control_group),
		.example = "adm",
		.change = DIRECTIVE_AT_RESTART,
		.help = "A group whose members may use wsgictl, beside root "
			"and the user who has started the server",
	},
	{
		.name = "ScoreBoardFile",
		.option = "--score-board-file",
		.type = &value_path,
		.offset = AT(score_board_file),
		.example = "/run/wsgid/board",
		.change = DIRECTIVE_AT_RESTART,
		.help = "The file of the scoreboard, instead of "
			"NAME.scoreboard in RunDirectory",
	},
	{
		.name = "CoreDumpDirectory",
		.option = "--core-dump-directory",
		.type = &value_path,
		.offset = AT(core_dump_directory),
		.example = "/srv/site/dumps",
		.help = "Where a child that crashes leaves its coredump; "
			"without it none is asked for",
	},
};

const struct directive_rows directives_processes = {rows, ARRAY_LEN(rows)};
