/*
 * fuzz_control.c - a line of the control socket, from whoever may open it.
 *
 * What is taken has words inside the decoded text and without NUL; said again
 * it means the same.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "control/control.h"

static void
check(const struct control_line *line)
{
	struct control_line again;
	struct buf out = {0};

	for (size_t i = 0; i < line->n; i++) {
		const struct str *w = &line->words[i];

		assert(w->p >= line->text);
		assert(w->p + w->len <= line->text + CONTROL_LINE);
		assert(memchr(w->p, '\0', w->len) == NULL);
	}
	/* An escaped line can be longer than what it came from was. */
	if (control_encode(&out, line->words, line->n) == 0) {
		struct str text = {out.data, out.len - 1};

		assert(control_decode(&again, text) == 0);
		assert(again.n == line->n);
		for (size_t i = 0; i < line->n; i++)
			assert(str_equal(again.words[i], line->words[i]));
	}
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct control_line line;
	char *copy = malloc(size > 0 ? size : 1);

	assert(copy != NULL);
	memcpy(copy, bytes, size);
	if (control_decode(&line, (struct str){copy, size}) == 0)
		check(&line);
	free(copy);
	return 0;
}
