/*
 * server.c - what a server leaves in a run directory.  See server.h.
 */
#include "server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "support/tree.h"

int
server_make_directory(void **state)
{
	char *dir = strdup("/tmp/test_wsgictl.XXXXXX");

	*state = dir;
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("WSGID_RUN_DIRECTORY");
	unsetenv("WSGID_PID_FILE");
	return dir != NULL && mkdtemp(dir) != NULL ? 0 : -1;
}

int
server_remove_directory(void **state)
{
	tree_remove(*state);
	free(*state);
	return 0;
}

const char *
server_path(const char *dir, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct scoreboard *
make_board(const char *dir, const char *name, pid_t master, int64_t start_us,
	unsigned workers)
{
	struct scoreboard *s;
	struct wsgid_board *b;
	struct err err = {0};

	if (scoreboard_create(&s,
		    &(struct scoreboard_order){.dir = dir,
			    .name = name,
			    .processes = SLOTS,
			    .workers = workers},
		    &err) < 0)
		abort();
	b = scoreboard_board(s);
	b->master_pid = master;
	b->start_us = b->restart_us = b->updated_us = start_us;
	b->generation = 1;
	b->max_request_workers = 3;
	strcpy(b->name, name);
	strcpy(b->version, "wsgid/1.2.3");
	strcpy(b->mpm, "prefork");
	strcpy(b->application, "shop:app");
	return s;
}

struct scoreboard *
server_board(const char *dir, const char *name, pid_t master, int64_t start_us)
{
	return make_board(dir, name, master, start_us, 1);
}

struct scoreboard *
server_worker_board(
	const char *dir, const char *name, pid_t master, int64_t start_us)
{
	struct scoreboard *s = make_board(dir, name, master, start_us, 6);

	scoreboard_board(s)->max_request_workers = 9;
	strcpy(scoreboard_board(s)->mpm, "worker");
	return s;
}

struct wsgid_page_map
server_threads(struct scoreboard *s, unsigned slot, uint32_t lifecycle,
	const char *letters)
{
	struct wsgid_process *p = scoreboard_process(s, slot);
	struct wsgid_page_map map;
	struct err err = {0};
	int fd = scoreboard_renew_page(s, slot, &err);

	if (fd < 0 || scoreboard_map_page(&map, fd,
			      scoreboard_board(s)->worker_count, &err) < 0)
		abort();
	close(fd);
	p->pid = 1 << 29; /* of nobody */
	p->lifecycle = lifecycle;
	p->generation = 1;
	map.page->pid = p->pid;
	p->workers = (uint32_t)strlen(letters);
	for (unsigned i = 0; i < p->workers; i++)
		map.workers[i].state = (uint32_t)letters[i];
	return map;
}

struct wsgid_page_map
server_child(
	struct scoreboard *s, unsigned slot, uint32_t lifecycle, char state)
{
	return server_threads(s, slot, lifecycle, (const char[]){state, '\0'});
}

int
server_pid_file(const char *dir, const char *name, int locked)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.pid", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0 ||
		(locked && fcntl(fd, F_OFD_SETLK, &all) < 0))
		abort();
	return fd;
}
