/*
 * board.h - the master's part of the scoreboard.
 */
#ifndef WSGID_MASTER_BOARD_H
#define WSGID_MASTER_BOARD_H

#include <stdint.h>

struct child;
struct err;
struct master;

int board_create(struct master *m, struct err *err);

/* The new generation's facts. */
void board_show_generation(struct master *m);
void board_show_child(struct master *m, const struct child *c);

/* The pid of one that a template has forked is known. */
void board_show_birth(struct master *m, const struct child *c);
void board_show_template(struct master *m);
void board_show_death(struct master *m, const struct child *c, int status);
void board_show_reload(struct master *m, uint32_t result, const char *reason);
void board_show_stop(struct master *m);
void board_touch(struct master *m);

#endif
