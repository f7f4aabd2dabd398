/*
 * crew.h - the workers of one child, under MPM worker.
 *
 * Each worker is a thread with an engine of its own.  While requests are short
 * one of them, the leader, holds the connections and serves them inline, as
 * under prefork: the others cost nothing, and nothing is handed from thread
 * to thread.  When requests have been long lately the leader deals what is
 * ready to idle workers instead; and when it is stuck in a long one, an idle
 * worker becomes the leader.  A worker that does not lead serves what it was
 * dealt and gives its connections back to the leader; but keeps one for as long
 * as requests are long, it has no other one to serve, and there is a worker for
 * each.
 *
 * So there is at most one leader, and it alone waits for new clients, for the
 * pool and for the master's orders.  There is none while all are busy: the
 * first that is done becomes it.
 *
 * Under prefork there is no crew: a child's only engine always leads.
 *
 * Every function may be called by any thread; the lock inside is held for
 * some instructions, never while anything waits, and no other is taken under
 * it.  Only crew_line_up waits.
 */
#ifndef WSGID_CHILD_CREW_H
#define WSGID_CHILD_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew;
struct err;
struct handoff;

/* A connection that another worker has passed on.  Freed with
 * crew_free_parcel, which leaves the descriptor open. */
struct parcel;
const struct handoff *crew_parcel_content(const struct parcel *p);
void crew_free_parcel(struct parcel *p);

/* For n workers, of which the first leads.  0 or a negative errno. */
int crew_create(struct crew **ret, size_t n, struct err *err);
/* Connections that still are under way are closed.  NULL is allowed. */
void crew_destroy(struct crew *crew);

/* In a forked copy of the process: close its descriptors. */
void crew_abandon(struct crew *crew);

/* Readable when something has come for that worker: a connection, the lead, or
 * an order. */
int crew_bell(const struct crew *crew, size_t worker);
/* To be called when it was, before looking at what has come. */
void crew_answer_bell(struct crew *crew, size_t worker);

/* The next connection that was passed on to that worker, or NULL. */
struct parcel *crew_take(struct crew *crew, size_t worker);

/* --- who leads ---------------------------------------------------------------- */

bool crew_leads(const struct crew *crew, size_t worker);

/* The worker is done and about to wait.  True when it leads from now on,
 * because nobody did; else it is idle until something comes for it.  Engaged are
 * those who keep a connection: others are dealt to first. */
bool crew_rest(struct crew *crew, size_t worker, bool engaged);

/* It has more to do, but where nobody leads, as all have, there would be no new
 * clients for as long as that lasts.  True when it leads. */
bool crew_stand_in(struct crew *crew, size_t worker);

/* It has found something to do by itself: it is idle no more.  True when something
 * has come for it meanwhile. */
bool crew_work(struct crew *crew, size_t worker);

/* Does anybody lead?  And does he wait, with nothing to do, as he says himself? */
bool crew_is_led(const struct crew *crew);
bool crew_leader_waits(const struct crew *crew);
void crew_show_leader(struct crew *crew, bool waits);

/* It will not be back soon: somebody idle leads from now on, and has what was
 * passed on to it meanwhile; or, while nobody is, nobody does.  True when
 * somebody does, or it did not lead itself. */
bool crew_resign(struct crew *crew, size_t worker);

/* Ring the leader's bell: something waits that only it looks after. */
void crew_call_leader(struct crew *crew);

/* --- descriptors -------------------------------------------------------------------- */

/* The leader needs one for a new client.  The others hear their bells, and the
 * first that has an idle connection takes the order: true, for that one.  When
 * it is closed the leader hears its bell, and that there is room: true, once. */
void crew_ask_for_room(struct crew *crew, size_t leader);
bool crew_takes_room_order(struct crew *crew);
void crew_made_room(struct crew *crew);
bool crew_has_room(struct crew *crew);

/* --- passing connections on ------------------------------------------------------ */

/* To an idle worker, which serves it now: 0; -EAGAIN when nobody is idle, or
 * another negative errno.  The descriptor is duplicated, the bytes are copied. */
int crew_deal(struct crew *crew, const struct handoff *h);

bool crew_has_idle(struct crew *crew);

/* Where all are busy: to the worker with whom fewest requests wait, if that is fewer
 * by more than a quarter and one.  Not to one who shows none: he is stuck, and what
 * came to him would only go on.  0, -EAGAIN when there is none such, or another
 * negative errno. */
int crew_even_out(struct crew *crew, size_t from, const struct handoff *h);
/* So many wait with this one; who rests shows none. */
void crew_show_ready(struct crew *crew, size_t worker, size_t ready);

/* To the leader, who sees to it; if there is none to an idle worker, which
 * then leads.  -EAGAIN when there is neither, or from leads itself. */
int crew_give(struct crew *crew, size_t from, const struct handoff *h);

/* --- the interpreter ------------------------------------------------------------------- */

/* Around the wait for the GIL: whoever of the workers had it last, and for longer than
 * CREW_SLICE_NS, waits until another one has, if one has waited as long.  Without that
 * he has it again before they are awake, and each time the interpreter's five
 * milliseconds begin anew, after which he would have to let it go.  Threads of the
 * application, and requests that come back from a sleep, wait for the GIL alone. */
enum { CREW_SLICE_NS = 20000000 };
void crew_line_up(struct crew *crew, size_t worker, int64_t now_ns);
void crew_step_in(struct crew *crew, size_t worker, int64_t now_ns);

/* --- all of them --------------------------------------------------------------------- */

/* How long requests take: the moving average of them all, in ns.  And how many are
 * long, of CREW_ALL: among short ones, of which the average is, these are who keeps
 * others waiting. */
enum { CREW_ALL = 65536 };
int64_t crew_lately(const struct crew *crew);
int crew_long_ones(const struct crew *crew);
void crew_note_duration(struct crew *crew, int64_t ns, bool is_long);

/* What the child has been told, by the master or a signal.  Orders only get
 * stricter: serve, retire, finish, stop.  From retire on nothing is passed on
 * inside the crew any more. */
enum crew_order {
	CREW_SERVE,
	CREW_RETIRE, /* give idle connections to siblings, finish, leave */
	CREW_FINISH, /* the server stops: close them, finish, leave */
	CREW_STOP,   /* leave now */
};
/* A milder order than the last may still leave less time. */
void crew_tell(struct crew *crew, enum crew_order order, int64_t leave_by_ns);
enum crew_order crew_order(const struct crew *crew, int64_t *ret_leave_by_ns);

/* The worker has nothing left and was told to leave.  True once all are done;
 * the others hear of it by their bells. */
bool crew_done(struct crew *crew, size_t worker);

#endif
