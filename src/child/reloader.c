/*
 * reloader.c - a thread that sees when the application's files change.
 *
 * It watches directories and not files: an editor writes another file and gives
 * it the name of the old one.  Modules are imported at any time, so it asks
 * Python again every second which directories there are.  Only a file that is
 * loaded late and changed within that second is missed, until its next change.
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

#include "base/defs.h"
#include "base/err.h"
#include "base/thread.h"
#include "net/channel.h"
#include "python/app.h"

enum {
	LOOK_MS = 1000,
	WATCHES_MAX = 4096,
	STACK = 1024 * 1024, /* Python runs on it */
};

struct reloader {
	struct app *app;
	int channel;
	int notify;                 /* inotify(7) */
	int ending;                 /* eventfd(2) */
	char *watched[WATCHES_MAX]; /* by watch; NULL: none of this number */
	pthread_mutex_t lock;       /* of these, and of what makes them */
	pthread_t thread;
};

static void
watch(void *arg, const char *directory)
{
	struct reloader *r = arg;
	int number;

	pthread_mutex_lock(&r->lock);
	number = inotify_add_watch(r->notify, directory,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
	if (number >= 0 && number < WATCHES_MAX && r->watched[number] == NULL)
		r->watched[number] = strdup(directory);
	pthread_mutex_unlock(&r->lock);
}

void
reloader_look(struct reloader *r)
{
	if (r != NULL)
		app_list_directories(r->app, watch, r);
}

/* A script may have any name; beside Python's files there are logs, databases
 * and what the interpreter itself writes. */
static bool
is_source(const struct reloader *r, const char *path)
{
	size_t len = strlen(path);

	return (len > 3 && strcmp(path + len - 3, ".py") == 0) ||
	       app_is_script(r->app, path);
}

static void
tell(const struct reloader *r, const struct inotify_event *event)
{
	char path[PATH_MAX + NAME_MAX + 2];

	if (event->len == 0 || event->wd < 0 || event->wd >= WATCHES_MAX ||
		r->watched[event->wd] == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s", r->watched[event->wd],
		event->name);
	if (is_source(r, path))
		(void)channel_send(
			r->channel, CHANNEL_CHANGED, 0, path, NULL, 0);
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
		tell(r, event);
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
	for (size_t i = 0; i < WATCHES_MAX; i++)
		free(r->watched[i]);
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
	err_set(err, rc, "WSGIReload: the files cannot be watched");
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
