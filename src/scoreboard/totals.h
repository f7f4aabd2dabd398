/*
 * totals.h - what a slot has counted so far: of children that are gone.
 *
 * Totals never go backwards, whatever a child has written: sums stop at the
 * largest number.
 */
#ifndef WSGID_SCOREBOARD_TOTALS_H
#define WSGID_SCOREBOARD_TOTALS_H

#include <stdint.h>

#include "wsgid/scoreboard.h"

void totals_add(uint64_t *total, uint64_t n);

/* What a child has counted that is gone; and what another record of the slot has. */
void totals_add_page(struct wsgid_process *to, const struct wsgid_page *page);
void totals_add_process(
	struct wsgid_process *to, const struct wsgid_process *from);

#endif
