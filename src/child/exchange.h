/*
 * exchange.h - a request while it is with the application, and what that asks of
 * its client meanwhile.
 */
#ifndef WSGID_CHILD_EXCHANGE_H
#define WSGID_CHILD_EXCHANGE_H

#include "child/body.h"
#include "child/report.h"
#include "child/unread.h"
#include "python/app.h"

struct connection;
struct engine;

struct exchange {
	struct app_exchange app;
	struct engine *engine;
	struct connection *connection;
	struct body body;
	struct unread_taken taken; /* the bytes of the head and body */
	struct report report;
};

/* What app.client is: its app_exchange is that of a struct exchange. */
extern const struct app_client exchange_client;

/* What is left to be sent is put to what the connection sends; nobody waits for it. */
void exchange_add_end(const struct exchange *ex);

#endif
