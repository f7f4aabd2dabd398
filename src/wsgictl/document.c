/*
 * document.c - a JSON document as text.  See document.h.
 */
#include "wsgictl/document.h"

#include <errno.h>

#include "base/buf.h"

static int
write_out(const char *data, size_t len, void *to)
{
	return buf_add(to, data, len) == 0 ? 0 : -1;
}

int
document_write(struct buf *to, json_t *o)
{
	int rc = json_dump_callback(o, write_out, to,
		JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);

	json_decref(o);
	buf_add_char(to, '\n');
	return rc == 0 && !buf_failed(to) ? 0 : -ENOMEM;
}
