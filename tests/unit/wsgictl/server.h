/*
 * server.h - what a server leaves in a run directory, made by hand.
 */
#ifndef WSGID_TEST_WSGICTL_SERVER_H
#define WSGID_TEST_WSGICTL_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "scoreboard/scoreboard.h"

enum { SLOTS = 4 };

/* cmocka's setup and teardown; *state is the directory's path. */
int server_make_directory(void **state);
int server_remove_directory(void **state);

/* dir/name, valid until the next call. */
const char *server_path(const char *dir, const char *name);

/* The board of a server called name, of this master, begun at start_us; SLOTS
 * slots, MaxRequestWorkers 3.  Destroy it with scoreboard_destroy. */
struct scoreboard *server_board(
	const char *dir, const char *name, pid_t master, int64_t start_us);

/* The same under MPM worker: ThreadLimit 6, MaxRequestWorkers 9. */
struct scoreboard *server_worker_board(
	const char *dir, const char *name, pid_t master, int64_t start_us);

/* A child in the slot and what its one worker does; its page is returned, the
 * caller unmaps nothing: the test ends soon. */
struct wsgid_page_map server_child(
	struct scoreboard *s, unsigned slot, uint32_t lifecycle, char state);

/* A child of several threads, a letter each. */
struct wsgid_page_map server_threads(struct scoreboard *s, unsigned slot,
	uint32_t lifecycle, const char *letters);

/* name.pid with our pid, locked or not; the descriptor. */
int server_pid_file(const char *dir, const char *name, int locked);

#endif
