/*
 * letters.c - what a worker is shown as, by everybody who shows it.
 *
 * What a worker does it says itself, in its record.  Three of Apache's letters
 * follow from what others know: G and I from the master's word that the child
 * was told to go, K and C from the child's count of connections.  These need
 * no worker here, where a worker of Apache's would wait with each of them; so
 * one of the child's idle workers stands for those that are kept alive, and
 * the next for those that are being closed.  Both are as idle as "_".
 * A child whose page cannot be read serves all the same, which is the master's
 * word, too: what its workers do is not known, "?".
 */
#include "scoreboard/scoreboard.h"

bool
scoreboard_in_request(uint32_t state)
{
	return state == WSGID_WORKER_READ || state == WSGID_WORKER_WRITE ||
	       state == WSGID_WORKER_LOG;
}

bool
scoreboard_letter_idle(char letter)
{
	return letter == WSGID_WORKER_READY ||
	       letter == WSGID_WORKER_KEEPALIVE ||
	       letter == WSGID_WORKER_CLOSING;
}

struct scoreboard_letters
scoreboard_letters(uint32_t lifecycle, const struct wsgid_page *page)
{
	return (struct scoreboard_letters){
		.lifecycle = lifecycle,
		.seen = page != NULL,
		.keeps = page != NULL && page->parked > 0,
		.closes = page != NULL && page->closing > 0,
	};
}

static char
idle_letter(struct scoreboard_letters *l)
{
	if (l->keeps) {
		l->keeps = false;
		return WSGID_WORKER_KEEPALIVE;
	}
	if (l->closes) {
		l->closes = false;
		return WSGID_WORKER_CLOSING;
	}
	return WSGID_WORKER_READY;
}

char
scoreboard_letter(struct scoreboard_letters *l, uint32_t state)
{
	switch (l->lifecycle) {
	case WSGID_PROCESS_VACANT:
		return WSGID_WORKER_DEAD;
	case WSGID_PROCESS_STARTING:
		return WSGID_WORKER_STARTING;
	case WSGID_PROCESS_DRAINING:
	case WSGID_PROCESS_STOPPING:
		return scoreboard_in_request(state) ? WSGID_WORKER_GRACEFUL
						    : WSGID_WORKER_IDLE_KILL;
	default:
		break;
	}
	if (!l->seen)
		return WSGID_WORKER_UNKNOWN;
	/* Its page is being made. */
	if (state == WSGID_WORKER_DEAD)
		return WSGID_WORKER_STARTING;
	return state == WSGID_WORKER_READY ? idle_letter(l) : (char)state;
}
