/*
 * service.c - the server as a service: what systemd hears of its life, and
 * when.
 *
 * Ready is the server when a child is, and again when a reload is over, however
 * it ended.  What people see in "systemctl status" is made anew every few
 * seconds and sent when it has changed.  While a start, a reload or a stop
 * lasts, systemd is asked for patience again and again: how long each may take
 * is decided by our own directives, and a master that hangs asks no more.
 */
#include "master/service.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/config.h"
#include "master/census.h"
#include "master/fdstore.h"
#include "master/generation.h"
#include "master/heir.h"
#include "master/notify.h"
#include "master/state.h"
#include "master/watchdog.h"
#include "mpm/mpm.h"
#include "scoreboard/scoreboard.h"

enum {
	BEATS = 3,    /* signs of life in the time that systemd waits for one */
	STATUS_S = 5, /* from one look to the next */
	EXTEND_S = 5, /* likewise, and asked for is what lasts */
	PATIENCE_S = 15, /* some of them */
};

static const int64_t us_a_second = 1000000;

/* To systemd only one process is the server, and before and after an upgrade it
 * is another. */
static bool
speaks(const struct master *m)
{
	return m->service.heard && !heir_waits(m) && !m->succeeded;
}

/* --- the sentence for people -------------------------------------------------- */

/* "12:03:07", of the machine's day. */
static void
put_now(struct buf *to)
{
	time_t now = (time_t)(clock_real_us() / us_a_second);
	char text[16];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	buf_add_text(to, text);
}

/* One line of what every manager can show. */
static void
keep(char *to, size_t size, struct buf *text)
{
	scoreboard_put_text(to, size, text->data, text->len);
	buf_fini(text);
}

/* Requests a second since the last look; a child that lies about its number
 * may have taken some back. */
static double
measure_rate(struct master *m)
{
	struct service *s = &m->service;
	uint64_t now = census_deeds(m).requests;
	int64_t ns = m->now_ns - s->requests_ns;
	double rate = 0;

	if (s->requests_ns > 0 && ns > 0 && now > s->requests)
		rate = (double)(now - s->requests) * (double)SECOND_NS /
		       (double)ns;
	s->requests = now;
	s->requests_ns = m->now_ns;
	return rate;
}

static void
describe(struct master *m, struct buf *to)
{
	double rate = measure_rate(m);
	struct census census;

	census_take(m, &census);
	census_look(m, &census);
	buf_printf(to, "%d %s: %d busy, %d idle; ", census.workers,
		census.workers == 1 ? "worker" : "workers",
		census.workers - census.idle, census.idle);
	buf_printf(to, rate > 0 && rate < 10 ? "%.1f" : "%.0f", rate);
	buf_add_text(to, " requests/s");
	if (m->throttle.failures > 1)
		buf_add_text(to, "; children keep failing");
	if (m->service.reloaded[0] != '\0')
		buf_printf(to, "; %s", m->service.reloaded);
}

/* Make it anew: has it changed? */
static bool
look(struct master *m)
{
	char before[sizeof(m->service.status)];
	struct buf text = {0};

	m->service.status_ns = m->now_ns + STATUS_S * SECOND_NS;
	strcpy(before, m->service.status);
	describe(m, &text);
	keep(m->service.status, sizeof(m->service.status), &text);
	return strcmp(before, m->service.status) != 0;
}

/* Again and again, and at once: the unit may allow very little. */
static void
ask_for_patience(struct master *m)
{
	m->service.extend_ns = m->now_ns;
	if (notify_extend(&m->notify, PATIENCE_S * us_a_second))
		m->service.extend_ns += EXTEND_S * SECOND_NS;
	else
		m->service.extend_ns += NOTIFY_RETRY_MS * MS_NS;
}

/* --- what happens -------------------------------------------------------------- */

void
service_begin(struct master *m)
{
	m->service.heard = notify_heard();
	m->service.status_ns = m->service.alive_ns = NEVER;
	m->service.store_ns = NEVER;
	m->service.alive_every_ns = notify_watchdog_us() * 1000 / BEATS;
	if (m->service.alive_every_ns > 0)
		m->service.alive_ns = m->now_ns;
	if (!speaks(m))
		return;
	fdstore_keep(m);
	(void)notify_status(&m->notify,
		"starting: the first child imports the application");
	ask_for_patience(m);
}

void
service_failed(struct master *m, const char *sentence)
{
	char text[sizeof(m->service.status)];
	struct buf b = {0};

	if (!notify_heard() || heir_waits(m) || m->succeeded)
		return;
	buf_printf(&b, "failed: %s", sentence);
	keep(text, sizeof(text), &b);
	(void)notify_status(&m->notify, text);
}

void
service_ready(struct master *m)
{
	if (!speaks(m))
		return;
	(void)look(m);
	notify_ready(&m->notify, m->service.status);
}

/* What the new master says first may come before it is known to be the main
 * process, and goes unheard then. */
void
service_take_over(struct master *m)
{
	if (!speaks(m))
		return;
	notify_main_pid(&m->notify, getpid());
	m->service.status[0] = '\0';
	m->service.status_ns = m->now_ns + SECOND_NS;
	m->service.store_ns = m->now_ns + SECOND_NS;
}

void
service_give_up(struct master *m, pid_t successor)
{
	if (speaks(m))
		notify_main_pid(&m->notify, successor);
}

void
service_reloading(struct master *m)
{
	struct buf text = {0};
	char status[64];

	if (!speaks(m))
		return;
	buf_add_text(&text, "reloading since ");
	put_now(&text);
	keep(status, sizeof(status), &text);
	notify_reloading(&m->notify, status);
	ask_for_patience(m);
}

void
service_reloaded(struct master *m, const char *reason)
{
	struct buf text = {0};

	if (!speaks(m))
		return;
	buf_add_text(&text, "last reload at ");
	put_now(&text);
	if (reason == NULL)
		m->service.store_ns = m->now_ns;
	else
		buf_printf(&text, " failed: %s", reason);
	keep(m->service.reloaded, sizeof(m->service.reloaded), &text);
	service_ready(m);
}

void
service_stopping(struct master *m, bool graceful)
{
	int64_t ms = m->now->config->graceful_shutdown_timeout;
	struct census census;
	struct buf text = {0};
	char status[128];
	int n;

	if (!speaks(m))
		return;
	census_take(m, &census);
	census_look(m, &census);
	n = census.workers - census.idle + census.finishing;
	buf_add_text(&text, "stopping");
	if (graceful)
		buf_printf(&text,
			n == 1 ? ": %d request is being finished"
			       : ": %d requests are being finished",
			n);
	if (graceful && ms > 0)
		buf_printf(&text, ", within %g s", (double)ms / 1000);
	keep(status, sizeof(status), &text);
	/* Why it has failed is worth more than that it ends. */
	notify_stopping(&m->notify, m->exit_status == 0 ? status : NULL);
	ask_for_patience(m);
}

/* --- what goes on ---------------------------------------------------------------- */

static bool
takes_its_time(const struct master *m)
{
	return m->phase != PHASE_RUNNING || m->reloading;
}

static void
give_sign(struct master *m)
{
	struct service *s = &m->service;

	s->alive_ns = m->now_ns + s->alive_every_ns;
	if (watchdog_progress(m) && !notify_alive(&m->notify))
		s->alive_ns = m->now_ns + NOTIFY_RETRY_MS * MS_NS;
}

static void
show_status(struct master *m)
{
	/* Unsaid, it is news the next time, too. */
	if (look(m) && !notify_status(&m->notify, m->service.status))
		m->service.status[0] = '\0';
}

void
service_turn(struct master *m)
{
	struct service *s = &m->service;

	notify_turn(&m->notify);
	if (!speaks(m) || m->phase == PHASE_OVER)
		return;
	if (takes_its_time(m) && s->extend_ns <= m->now_ns)
		ask_for_patience(m);
	if (s->store_ns <= m->now_ns && m->phase == PHASE_RUNNING) {
		s->store_ns = NEVER;
		fdstore_keep(m);
	}
	if (s->alive_ns <= m->now_ns)
		give_sign(m);
	if (m->phase == PHASE_RUNNING && !m->reloading &&
		s->status_ns <= m->now_ns)
		show_status(m);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
service_deadline(const struct master *m)
{
	const struct service *s = &m->service;
	int64_t next = NEVER;

	if (notify_waits(&m->notify))
		next = m->now_ns + NOTIFY_RETRY_MS * MS_NS;
	if (!speaks(m))
		return next;
	next = earlier(next, takes_its_time(m) ? s->extend_ns : s->status_ns);
	if (m->phase == PHASE_RUNNING)
		next = earlier(next, s->store_ns);
	return earlier(next, s->alive_ns);
}
