/*
 * queues.c - who waits to be accepted, as a master sees it.  See queues.h.
 */
#include "wsgictl/queues.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "wsgictl/ask.h"

void
queues_hear(struct queues *q, const struct ask_answer *line)
{
	unsigned long long waiting, limit;
	struct queue *all;
	char *listener;

	if (strcmp(line->words[1], "listen-queue") != 0 || line->n < 5 ||
		q->n == QUEUES_MOST ||
		str_to_u64(str_of(line->words[3]), &waiting) < 0 ||
		str_to_u64(str_of(line->words[4]), &limit) < 0 ||
		waiting > UINT32_MAX || limit > UINT32_MAX)
		return;
	all = realloc(q->all, (q->n + 1) * sizeof(*all));
	listener = strdup(line->words[2]);
	if (all != NULL)
		q->all = all;
	if (all == NULL || listener == NULL) {
		free(listener);
		return;
	}
	all[q->n++] = (struct queue){
		.listener = listener, .waiting = waiting, .limit = limit};
}

void
queues_fini(struct queues *q)
{
	for (size_t i = 0; i < q->n; i++)
		free(q->all[i].listener);
	free(q->all);
	*q = (struct queues){0};
}
