/*
 * queues.h - who waits to be accepted, as a master sees it.
 */
#ifndef WSGID_WSGICTL_QUEUES_H
#define WSGID_WSGICTL_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ask_answer;

struct queue {
	char *listener; /* as the status has it */
	uint64_t waiting;
	uint64_t limit;
};

struct queues {
	bool known; /* the master has said all of it */
	size_t n;
	struct queue *all;
};

enum { QUEUES_MOST = 1024 };

/* A line of the master's answer; others than of queues, nonsense, and more than
 * QUEUES_MOST are passed over. */
void queues_hear(struct queues *q, const struct ask_answer *line);

void queues_fini(struct queues *q);

#endif
