/*
 * received.c - the configuration that the master left to this process.  See
 * received.h.
 *
 * The master has read and settled it already: what it wrote down says all, so
 * that nothing here depends on the machine.
 */
#include "child/received.h"

#include <errno.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "net/inherit.h"

enum { CONFIG_MAX = 16 * 1024 * 1024 };

int
received_config(struct config **ret, struct err *err)
{
	const struct config_machine machine = {.cpus = 1};
	const struct config_message *message;
	AUTO_FREE char *text = NULL;
	struct config *c;
	size_t len;
	int rc;

	rc = fd_read_whole(INHERIT_CONFIG, CONFIG_MAX, &text, &len);
	if (rc < 0)
		return err_set(err, -rc, "configuration from the master");
	c = config_create();
	if (c == NULL)
		return err_set(err, ENOMEM, "configuration");
	rc = config_read_text(c, "(from the master)", text, len);
	if (rc == 0)
		rc = config_settle(c, &machine);
	if (rc == 0) {
		*ret = c;
		return 0;
	}
	message = config_message(c, 0);
	rc = err_setx(err, EINVAL, "configuration: %s",
		message != NULL ? message->text : "not readable");
	config_destroy(c);
	return rc;
}
