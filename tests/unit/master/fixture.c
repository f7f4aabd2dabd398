/*
 * fixture.c - a master without children.  See fixture.h.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "master/control.h"
#include "master/master_priv.h"
#include "master/relay.h"
#include "master/template.h"
#include "scoreboard/scoreboard.h"
#include "support/tree.h"

static const char prefork_text[] = "Listen 127.0.0.1:0\n"
				   "WSGIApplication shop:app\n"
				   "StartServers 2\n"
				   "MinSpareServers 1\n"
				   "MaxSpareServers 2\n"
				   "MaxRequestWorkers 4\n";

static const char worker_text[] = "Listen 127.0.0.1:0\n"
				  "WSGIApplication shop:app\n"
				  "MPM worker\n"
				  "ThreadsPerChild 3\n"
				  "ThreadLimit 5\n"
				  "StartServers 2\n"
				  "MinSpareThreads 2\n"
				  "MaxSpareThreads 6\n"
				  "MaxRequestWorkers 12\n";

static struct config *
make_config(const char *text)
{
	struct config *c = config_create();

	if (c == NULL ||
		config_read_text(c, "test.conf", text, strlen(text)) < 0 ||
		config_settle(c, &(struct config_machine){.cpus = 2}) < 0)
		return NULL;
	return c;
}

static int
make(void **state, const char *text)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	if (f == NULL)
		return -1;
	strcpy(f->dir, "/tmp/test_master.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	f->generation = (struct generation){
		.number = 1,
		.config = make_config(text),
		.set = -1,
		.config_fd = -1,
		.error_log = -1,
	};
	f->m = (struct master){
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.null_fd = -1,
		.now = &f->generation,
		.last_generation = 1,
		.now_ns = 1000 * SECOND_NS,
		.turn_ns = 1001 * SECOND_NS,
		.stop_by_ns = NEVER,
		.phase = PHASE_RUNNING,
		.n_slots = SLOTS,
		.server_limit = SLOTS,
		.control = {.listener = {.fd = -1}, .rest_ns = NEVER},
		.memory = {.spawn_rate = 1},
		.run = {.own.fd = -1, .named.fd = -1},
		.log_room = {.fd = -1},
		.predecessor = {.end.fd = -1},
		.store = {.board = -1, .canary = {.fd = -1}},
	};
	strcpy(f->m.name, "test");
	f->m.children = calloc(SLOTS, sizeof(struct child));
	for (unsigned i = 0; i < SLOTS; i++)
		f->m.children[i] = (struct child){
			.slot = i,
			.channel = {.fd = -1},
			.output = -1,
			.deadline_ns = NEVER,
		};
	*state = f;
	return f->generation.config == NULL ||
			       scoreboard_create(&f->m.scoreboard,
				       &(struct scoreboard_order){
					       .name = "test",
					       .processes = SLOTS,
					       .workers =
						       (unsigned)f->generation
							       .config
							       ->thread_limit},
				       &err) < 0
		       ? -1
		       : 0;
}

int
fixture_make(void **state)
{
	return make(state, prefork_text);
}

int
fixture_make_worker(void **state)
{
	return make(state, worker_text);
}

int
fixture_remove(void **state)
{
	struct fixture *f = *state;

	template_close_all(&f->m);
	relay_close_all(&f->m);
	control_close(&f->m);
	if (f->m.log_room.fd >= 0)
		master_forget(&f->m, &f->m.log_room);
	scoreboard_destroy(f->m.scoreboard, 1);
	config_destroy(f->generation.config);
	free(f->m.children);
	buf_fini(&f->m.said);
	close(f->m.epoll);
	tree_remove(f->dir);
	free(f);
	return 0;
}

struct child *
fixture_child(struct fixture *f, unsigned slot, enum lifecycle life)
{
	struct child *c = &f->m.children[slot];
	struct err err = {0};
	int fd = scoreboard_renew_page(f->m.scoreboard, slot, &err);

	if (fd >= 0)
		close(fd);
	c->pid = 1 << 29; /* of nobody */
	c->life = life;
	c->generation = 1;
	c->workers = (unsigned)f->generation.config->threads_per_child;
	return c;
}

static struct wsgid_page_map
new_page(struct fixture *f, unsigned slot)
{
	struct wsgid_page_map map;
	struct err err = {0};
	int fd = scoreboard_renew_page(f->m.scoreboard, slot, &err);
	unsigned limit = (unsigned)f->generation.config->thread_limit;

	if (fd < 0 || scoreboard_map_page(&map, fd, limit, &err) < 0)
		abort();
	close(fd);
	return map;
}

void
fixture_work(struct fixture *f, unsigned slot, uint32_t state)
{
	new_page(f, slot).workers[0].state = state;
}

void
fixture_threads(struct fixture *f, unsigned slot, const char *letters)
{
	struct wsgid_page_map map = new_page(f, slot);

	for (unsigned i = 0; letters[i] != '\0'; i++)
		map.workers[i].state = (uint32_t)(unsigned char)letters[i];
}

bool
fixture_event(struct fixture *f)
{
	struct epoll_event event;
	struct source *s;

	if (epoll_wait(f->m.epoll, &event, 1, 0) != 1)
		return false;
	s = event.data.ptr;
	s->ready(&f->m, s);
	return true;
}

void
fixture_wait_to_be_killed(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

const char *
fixture_path(struct fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

const char *
fixture_read(struct fixture *f, const char *name)
{
	static char data[262144];
	int fd = open(fixture_path(f, name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, data, sizeof(data) - 1) : 0;

	if (fd >= 0)
		close(fd);
	data[n > 0 ? n : 0] = '\0';
	return data;
}
