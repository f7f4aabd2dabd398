/*
 * totals.c - what a slot has counted so far.  See totals.h.
 */
#include "scoreboard/totals.h"

void
totals_add(uint64_t *total, uint64_t n)
{
	if (__builtin_add_overflow(*total, n, total))
		*total = UINT64_MAX;
}

void
totals_add_page(struct wsgid_process *to, const struct wsgid_page *page)
{
	totals_add(&to->past_requests, page->requests);
	totals_add(&to->past_connections, page->accepted);
	totals_add(&to->past_bytes_in, page->bytes_in);
	totals_add(&to->past_bytes_out, page->bytes_out);
	totals_add(&to->past_busy_us, page->busy_us);
}

void
totals_add_process(struct wsgid_process *to, const struct wsgid_process *from)
{
	totals_add(&to->past_requests, from->past_requests);
	totals_add(&to->past_connections, from->past_connections);
	totals_add(&to->past_bytes_in, from->past_bytes_in);
	totals_add(&to->past_bytes_out, from->past_bytes_out);
	totals_add(&to->past_busy_us, from->past_busy_us);
}
