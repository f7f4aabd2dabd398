/*
 * operation.c - lists of what the epoll engine has been asked to do.  See
 * operation_priv.h.
 */
#include "io/operation_priv.h"

void
operations_clear(struct operation_list *list)
{
	list->first = NULL;
	list->tail = &list->first;
}

void
operations_add(struct operation_list *list, struct operation *op)
{
	op->next = NULL;
	*list->tail = op;
	list->tail = &op->next;
}

void
operations_remove(struct operation_list *list, const struct operation *op)
{
	struct operation **at = &list->first;

	while (*at != NULL && *at != op)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = op->next;
	if (op->next == NULL)
		list->tail = at;
}

struct operation *
operations_take(struct operation_list *list)
{
	struct operation *first = list->first;

	operations_clear(list);
	return first;
}
