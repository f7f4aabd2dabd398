/*
 * reloader.c - a thread that sees when the application's files change.
 *
 * It watches directories and not files: an editor writes another file and gives
 * it the name of the old one.  Modules are imported at any time, and a directory
 * may lose its name to another one, so it asks Python again every second which
 * directories there are.  Only a file that is loaded late and changed within
 * that second is missed, until its next change.
 *
 * Whoever saves a file may take the old one away first: one that is gone counts
 * when it has not come back within a second.  Rights and times count for nothing:
 * an application that sets them while it is imported would be imported again.
 */
#include "child/reloader.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "net/channel.h"
#include "python/app.h"

enum {
	LOOK_MS = 1000,
	WATCHES_MAX = 4096,
	STACK = 1024 * 1024, /* Python runs on it */
};

/* A directory has one number, and may have several names. */
struct watched {
	char *path;
	size_t len;
	int number;
};

struct reloader {
	struct app *app;
	int channel;
	int notify; /* inotify(7) */
	int ending; /* eventfd(2) */
	struct watched watched[WATCHES_MAX];
	size_t n; /* of them */
	bool complained;
	char gone[PATH_MAX]; /* a file that was taken away; or "" */
	int64_t gone_ns;     /* when */
	pthread_mutex_t lock; /* of these, and of what makes them */
	pthread_t thread;
};

static void
tell(const struct reloader *r, const char *path)
{
	(void)channel_send(r->channel, CHANNEL_CHANGED, 0, path, NULL, 0);
}

/* What is there no more, or is an archive, needs no word. */
static void
complain(struct reloader *r, int code, const char *directory)
{
	if (code != ENOSPC || r->complained)
		return;
	r->complained = true;
	log_warnx("child",
		"WSGIReload: %s is not watched, and there may be more: this "
		"user's watches are used up; raise the sysctl "
		"fs.inotify.max_user_watches",
		directory);
}

static struct watched *
find(struct reloader *r, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < r->n; i++)
		if (r->watched[i].len == len &&
			memcmp(r->watched[i].path, path, len) == 0)
			return &r->watched[i];
	return NULL;
}

static void
add(struct reloader *r, const char *path, int number)
{
	struct watched *w = &r->watched[r->n];

	if (r->n == WATCHES_MAX || (w->path = strdup(path)) == NULL)
		return;
	w->len = strlen(path);
	w->number = number;
	r->n++;
}

/* Where another directory has taken the name, what was loaded from there is
 * another file now. */
static void
watch(void *arg, const char *directory)
{
	struct reloader *r = arg;
	struct watched *known;
	int number;

	pthread_mutex_lock(&r->lock);
	number = inotify_add_watch(r->notify, directory,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
			IN_ONLYDIR);
	known = find(r, directory);
	if (number < 0) {
		complain(r, errno, directory);
	} else if (known == NULL) {
		add(r, directory, number);
	} else if (known->number != number) {
		known->number = number;
		tell(r, directory);
	}
	pthread_mutex_unlock(&r->lock);
}

void
reloader_look(struct reloader *r)
{
	if (r != NULL)
		app_list_directories(r->app, watch, r);
}

/* A script may have any name; beside Python's files and extension modules there
 * are logs, databases and what the interpreter itself writes. */
static bool
is_source(const struct reloader *r, const char *path)
{
	const char *suffix = strrchr(path, '.');

	return (suffix != NULL && (strcmp(suffix, ".py") == 0 ||
					  strcmp(suffix, ".so") == 0)) ||
	       app_is_script(r->app, path);
}

/* Editors have hidden files beside the one that they edit. */
static void
note_gone(struct reloader *r, const char *path)
{
	size_t len = strlen(path);

	if (r->gone[0] != '\0' || len >= sizeof(r->gone) ||
		strrchr(path, '/')[1] == '.')
		return;
	memcpy(r->gone, path, len + 1);
	r->gone_ns = clock_monotonic_ns();
}

static void
tell_gone(struct reloader *r)
{
	if (r->gone[0] == '\0' ||
		clock_monotonic_ns() - r->gone_ns < LOOK_MS * MS_NS)
		return;
	if (access(r->gone, F_OK) < 0)
		tell(r, r->gone);
	r->gone[0] = '\0';
}

/* What has happened to a source. */
static void
take_change(struct reloader *r, const struct inotify_event *event,
	const char *path)
{
	if ((event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0)
		note_gone(r, path);
	else
		tell(r, path);
}

static void
take_event(struct reloader *r, const struct inotify_event *event)
{
	char path[PATH_MAX + NAME_MAX + 2];

	/* Which, nobody knows. */
	if ((event->mask & IN_Q_OVERFLOW) != 0)
		tell(r, "one of very many files");
	for (size_t i = 0; event->len > 0 && i < r->n; i++) {
		const struct watched *w = &r->watched[i];

		if (w->number != event->wd)
			continue;
		snprintf(path, sizeof(path), "%s/%s", w->path, event->name);
		if (is_source(r, path)) {
			take_change(r, event, path);
			return;
		}
	}
}

static void
take_events(struct reloader *r)
{
	_Alignas(struct inotify_event) char room[4096];
	ssize_t n = read(r->notify, room, sizeof(room));
	const struct inotify_event *event;

	for (ssize_t at = 0; at < n;
		at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(const void *)(room + at);
		pthread_mutex_lock(&r->lock);
		take_event(r, event);
		pthread_mutex_unlock(&r->lock);
	}
}

static void *
run(void *arg)
{
	struct reloader *r = arg;
	struct pollfd fds[] = {
		{.fd = r->ending, .events = POLLIN},
		{.fd = r->notify, .events = POLLIN},
	};

	pthread_setname_np(pthread_self(), "wsgid-reloader");
	while (fds[0].revents == 0) {
		app_list_directories(r->app, watch, r);
		if (poll(fds, ARRAY_LEN(fds), LOOK_MS) > 0 &&
			fds[1].revents != 0)
			take_events(r);
		tell_gone(r);
	}
	return NULL;
}

static void
destroy(struct reloader *r)
{
	if (r->notify >= 0)
		close(r->notify);
	if (r->ending >= 0)
		close(r->ending);
	for (size_t i = 0; i < r->n; i++)
		free(r->watched[i].path);
	free(r);
}

struct reloader *
reloader_start(struct app *app, int channel, struct err *err)
{
	struct reloader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL) {
		err_set(err, ENOMEM, "WSGIReload");
		return NULL;
	}
	r->app = app;
	r->channel = channel;
	pthread_mutex_init(&r->lock, NULL);
	r->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r->ending = eventfd(0, EFD_CLOEXEC);
	rc = r->notify < 0 || r->ending < 0 ? errno : 0;
	/* What is written while the application is imported counts. */
	if (rc == 0)
		app_list_directories(app, watch, r);
	if (rc == 0)
		rc = -thread_start_helper(&r->thread, STACK, 0, run, r);
	if (rc == 0)
		return r;
	err_set(err, rc, "WSGIReload: the files cannot be watched%s",
		rc == EMFILE ? " (raise the sysctl fs.inotify."
			       "max_user_instances, if it is not the limit of "
			       "open files)"
			     : "");
	destroy(r);
	return NULL;
}

void
reloader_stop(struct reloader *r)
{
	const uint64_t one = 1;

	if (r == NULL)
		return;
	(void)!write(r->ending, &one, sizeof(one));
	app_leave(r->app);
	pthread_join(r->thread, NULL);
	app_enter(r->app);
	destroy(r);
}
