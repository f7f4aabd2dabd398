/*
 * heritage.c - what one master leaves to the next, as text.
 *
 * A row for each key, with its numbers first and a text, if it has one, last:
 * both directions are read from the same row, so they cannot differ.
 */
#include "master/heritage.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/err.h"
#include "base/fd.h"
#include "control/control.h"

#define FIRST_LINE "wsgid-heritage 1"

enum { NUMBERS = 6 };

/* One line, taken apart. */
struct item {
	long long n[NUMBERS];
	const char *text; /* "" where the key has none */
};

void
heritage_init(struct heritage *h)
{
	*h = (struct heritage){
		.report = -1,
		.give = -1,
		.take = -1,
		.unsaid = -1,
		.own.fd = -1,
		.named.fd = -1,
	};
}

void
heritage_disown(struct heritage *h)
{
	h->report = h->give = h->take = h->own.fd = h->named.fd = -1;
	h->unsaid = -1;
	for (size_t i = 0; i < h->n_listeners; i++)
		h->listeners[i].fd = -1;
	for (size_t i = 0; i < h->n_nursery; i++)
		h->nursery[i].channel = -1;
	for (size_t i = 0; i < h->n_outputs; i++)
		h->outputs[i].fd = h->outputs[i].begun = -1;
	for (size_t i = 0; i < h->n_clients; i++)
		h->clients[i] = -1;
}

void
heritage_fini(struct heritage *h)
{
	fd_close(&h->report);
	fd_close(&h->give);
	fd_close(&h->take);
	fd_close(&h->unsaid);
	fd_close(&h->own.fd);
	fd_close(&h->named.fd);
	for (size_t i = 0; i < h->n_listeners; i++)
		fd_close(&h->listeners[i].fd);
	for (size_t i = 0; i < h->n_nursery; i++)
		fd_close(&h->nursery[i].channel);
	for (size_t i = 0; i < h->n_outputs; i++) {
		fd_close(&h->outputs[i].fd);
		fd_close(&h->outputs[i].begun);
	}
	for (size_t i = 0; i < h->n_clients; i++)
		fd_close(&h->clients[i]);
	free(h->own.path);
	free(h->named.path);
	free(h->listeners);
	free(h->nursery);
	free(h->outputs);
	free(h->clients);
	heritage_init(h);
}

/* --- lists ------------------------------------------------------------------- */

static int
append(void *list, size_t *n, const void *element, size_t size)
{
	void **at = list;
	char *grown = realloc(*at, (*n + 1) * size);

	if (grown == NULL)
		return -ENOMEM;
	memcpy(grown + *n * size, element, size);
	*at = grown;
	(*n)++;
	return 0;
}

int
heritage_add_listener(
	struct heritage *h, const struct heritage_listener *listener)
{
	return append(
		&h->listeners, &h->n_listeners, listener, sizeof(*listener));
}

int
heritage_add_child(struct heritage *h, const struct heritage_child *child)
{
	return append(&h->nursery, &h->n_nursery, child, sizeof(*child));
}

int
heritage_add_output(struct heritage *h, const struct heritage_output *output)
{
	return append(&h->outputs, &h->n_outputs, output, sizeof(*output));
}

int
heritage_add_client(struct heritage *h, int fd)
{
	return append(&h->clients, &h->n_clients, &fd, sizeof(fd));
}

int
heritage_each_fd(
	const struct heritage *h, int (*call)(int fd, void *arg), void *arg)
{
	const int single[] = {h->report, h->give, h->take, h->own.fd,
		h->named.fd, h->unsaid};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(single); i++)
		if (single[i] >= 0)
			rc = call(single[i], arg);
	for (size_t i = 0; rc >= 0 && i < h->n_listeners; i++)
		rc = call(h->listeners[i].fd, arg);
	for (size_t i = 0; rc >= 0 && i < h->n_nursery; i++)
		if (h->nursery[i].channel >= 0)
			rc = call(h->nursery[i].channel, arg);
	for (size_t i = 0; rc >= 0 && i < h->n_outputs; i++) {
		rc = call(h->outputs[i].fd, arg);
		if (rc >= 0 && h->outputs[i].begun >= 0)
			rc = call(h->outputs[i].begun, arg);
	}
	for (size_t i = 0; rc >= 0 && i < h->n_clients; i++)
		rc = call(h->clients[i], arg);
	return rc;
}

/* --- the keys ---------------------------------------------------------------- */

/* What a line means to a heritage that is being read: 0, or a negative errno
 * when it makes no sense. */
typedef int take_item(struct heritage *h, const struct item *item);

static bool
is_fd(long long n)
{
	return n > 2 && n <= INT_MAX;
}

static bool
is_pid(long long n)
{
	return n > 0 && n <= INT_MAX;
}

static bool
is_count(long long n)
{
	return n >= 0 && n <= INT_MAX;
}

static int
take_way(struct heritage *h, const struct item *item)
{
	if (item->n[0] < 0 || item->n[0] >= HERITAGE_WAYS ||
		!is_pid(item->n[1]))
		return -EINVAL;
	h->way = (enum heritage_way)item->n[0];
	h->from = (pid_t)item->n[1];
	return 0;
}

static int
take_report(struct heritage *h, const struct item *item)
{
	if (!is_fd(item->n[0]))
		return -EINVAL;
	h->report = (int)item->n[0];
	return 0;
}

static int
take_generation(struct heritage *h, const struct item *item)
{
	if (!is_count(item->n[0]) || !is_count(item->n[1]) ||
		!is_pid(item->n[2]))
		return -EINVAL;
	h->generation = (unsigned)item->n[0];
	h->children = (unsigned)item->n[1];
	h->buckets = (unsigned)item->n[2];
	return 0;
}

static int
take_files(struct heritage *h, const struct item *item)
{
	/* -1 is RLIM_INFINITY. */
	h->files.rlim_cur = (rlim_t)item->n[0];
	h->files.rlim_max = (rlim_t)item->n[1];
	return 0;
}

static int
take_pool(struct heritage *h, const struct item *item)
{
	if (!is_fd(item->n[0]) || !is_fd(item->n[1]) || !is_count(item->n[2]))
		return -EINVAL;
	h->give = (int)item->n[0];
	h->take = (int)item->n[1];
	h->pool_format = (unsigned)item->n[2];
	return 0;
}

static int
take_file(struct heritage_file *f, const struct item *item)
{
	if (!is_fd(item->n[0]) || item->text[0] == '\0' || f->path != NULL)
		return -EINVAL;
	f->path = strdup(item->text);
	if (f->path == NULL)
		return -ENOMEM;
	f->fd = (int)item->n[0];
	return 0;
}

static int
take_own(struct heritage *h, const struct item *item)
{
	return take_file(&h->own, item);
}

static int
take_named(struct heritage *h, const struct item *item)
{
	return take_file(&h->named, item);
}

static int
take_listener(struct heritage *h, const struct item *item)
{
	struct heritage_listener l = {
		.fd = (int)item->n[0],
		.passed = item->n[1] != 0,
		.made = item->n[2] != 0,
		.device = (dev_t)item->n[3],
		.inode = (ino_t)item->n[4],
		.bucket = (int)item->n[5],
	};

	if (!is_fd(item->n[0]) || item->n[5] < -1 || item->n[5] > INT_MAX ||
		strlen(item->text) >= sizeof(l.asked))
		return -EINVAL;
	strcpy(l.asked, item->text);
	return heritage_add_listener(h, &l);
}

static int
take_child(struct heritage *h, const struct item *item)
{
	struct heritage_child c = {
		.slot = (unsigned)item->n[0],
		.pid = (pid_t)item->n[1],
		.generation = (unsigned)item->n[2],
		.life = (enum lifecycle)item->n[3],
		.channel = (int)item->n[4],
		.workers = (unsigned)item->n[5],
	};

	if (!is_count(item->n[0]) || !is_pid(item->n[1]) ||
		!is_count(item->n[2]) || item->n[3] <= LIFECYCLE_VACANT ||
		item->n[3] >= LIFECYCLE_STATES ||
		(item->n[4] != -1 && !is_fd(item->n[4])) || !is_pid(item->n[5]))
		return -EINVAL;
	return heritage_add_child(h, &c);
}

/* Of a child that was named before: an older master says nothing of it. */
static int
take_deadline(struct heritage *h, const struct item *item)
{
	if (item->n[1] <= 0)
		return -EINVAL;
	for (size_t i = 0; i < h->n_nursery; i++)
		if (h->nursery[i].pid == item->n[0]) {
			h->nursery[i].deadline_ns = item->n[1];
			return 0;
		}
	return -EINVAL;
}

static int
take_output(struct heritage *h, const struct item *item)
{
	struct heritage_output o = {
		.fd = (int)item->n[0],
		.pid = (pid_t)item->n[1],
		.begun = -1,
	};

	if (!is_fd(item->n[0]) || !is_pid(item->n[1]))
		return -EINVAL;
	return heritage_add_output(h, &o);
}

/* Of the output of that number, which was named before. */
static int
take_begun(struct heritage *h, const struct item *item)
{
	if (!is_fd(item->n[1]))
		return -EINVAL;
	for (size_t i = 0; i < h->n_outputs; i++)
		if (h->outputs[i].fd == item->n[0]) {
			h->outputs[i].begun = (int)item->n[1];
			return 0;
		}
	return -EINVAL;
}

static int
take_secret(struct heritage *h, const struct item *item)
{
	h->secret = item->n[0];
	return h->secret < 0 ? -EINVAL : 0;
}

static int
take_unsaid(struct heritage *h, const struct item *item)
{
	if (!is_fd(item->n[0]) || item->n[1] < 0)
		return -EINVAL;
	h->unsaid = (int)item->n[0];
	h->lost = (unsigned long)item->n[1];
	return 0;
}

static int
take_client(struct heritage *h, const struct item *item)
{
	return is_fd(item->n[0]) ? heritage_add_client(h, (int)item->n[0])
				 : -EINVAL;
}

enum key {
	KEY_WAY,
	KEY_REPORT,
	KEY_GENERATION,
	KEY_FILES,
	KEY_POOL,
	KEY_OWN,
	KEY_NAMED,
	KEY_LISTENER,
	KEY_CHILD,
	KEY_DEADLINE,
	KEY_OUTPUT,
	KEY_BEGUN,
	KEY_UNSAID,
	KEY_SECRET,
	KEY_CLIENT,
};

static const struct row {
	const char *key;
	size_t numbers;
	bool text;
	take_item *take;
} rows[] = {
	[KEY_WAY] = {"way", 2, false, take_way},
	[KEY_REPORT] = {"report", 1, false, take_report},
	[KEY_GENERATION] = {"generation", 3, false, take_generation},
	[KEY_FILES] = {"files", 2, false, take_files},
	[KEY_POOL] = {"pool", 3, false, take_pool},
	[KEY_OWN] = {"own-pid-file", 1, true, take_own},
	[KEY_NAMED] = {"pid-file", 1, true, take_named},
	[KEY_LISTENER] = {"listener", 6, true, take_listener},
	[KEY_CHILD] = {"child", 6, false, take_child},
	[KEY_DEADLINE] = {"deadline", 2, false, take_deadline},
	[KEY_OUTPUT] = {"output", 2, false, take_output},
	[KEY_BEGUN] = {"begun", 2, false, take_begun},
	[KEY_UNSAID] = {"unsaid", 2, false, take_unsaid},
	[KEY_SECRET] = {"secret", 1, false, take_secret},
	[KEY_CLIENT] = {"client", 1, false, take_client},
};

/* --- writing ----------------------------------------------------------------- */

static int
put(struct buf *to, enum key key, const struct item *item)
{
	const struct row *row = &rows[key];
	char numbers[NUMBERS][24];
	struct str words[NUMBERS + 2] = {str_of(row->key)};
	size_t n = 1;

	for (size_t i = 0; i < row->numbers; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%lld", item->n[i]);
		words[n++] = str_of(numbers[i]);
	}
	if (row->text)
		words[n++] = str_of(item->text);
	return control_encode(to, words, n);
}

#define PUT(to, key, ...) put(to, key, &(struct item){__VA_ARGS__})

static int
put_file(struct buf *to, enum key key, const struct heritage_file *f)
{
	return f->fd < 0 ? 0 : PUT(to, key, .n = {f->fd}, .text = f->path);
}

static int
put_child(struct buf *to, const struct heritage_child *c)
{
	int rc = PUT(to, KEY_CHILD,
		.n = {c->slot, c->pid, c->generation, c->life, c->channel,
			c->workers});

	if (rc < 0 || c->deadline_ns <= 0)
		return rc;
	return PUT(to, KEY_DEADLINE, .n = {c->pid, c->deadline_ns});
}

static int
put_output(struct buf *to, const struct heritage_output *o)
{
	int rc = PUT(to, KEY_OUTPUT, .n = {o->fd, o->pid});

	if (rc < 0 || o->begun < 0)
		return rc;
	return PUT(to, KEY_BEGUN, .n = {o->fd, o->begun});
}

static int
put_lists(struct buf *to, const struct heritage *h)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < h->n_listeners; i++) {
		const struct heritage_listener *l = &h->listeners[i];

		rc = PUT(to, KEY_LISTENER,
			.n = {l->fd, l->passed, l->made, (long long)l->device,
				(long long)l->inode, l->bucket},
			.text = l->asked);
	}
	for (size_t i = 0; rc == 0 && i < h->n_nursery; i++)
		rc = put_child(to, &h->nursery[i]);
	for (size_t i = 0; rc == 0 && i < h->n_outputs; i++)
		rc = put_output(to, &h->outputs[i]);
	for (size_t i = 0; rc == 0 && i < h->n_clients; i++)
		rc = PUT(to, KEY_CLIENT, .n = {h->clients[i]});
	return rc;
}

int
heritage_encode(const struct heritage *h, struct buf *to)
{
	int rc;

	buf_add_text(to, FIRST_LINE "\n");
	rc = PUT(to, KEY_WAY, .n = {h->way, h->from});
	if (rc == 0 && h->report >= 0)
		rc = PUT(to, KEY_REPORT, .n = {h->report});
	if (rc == 0)
		rc = PUT(to, KEY_GENERATION,
			.n = {h->generation, h->children, h->buckets});
	if (rc == 0)
		rc = PUT(to, KEY_FILES,
			.n = {(long long)h->files.rlim_cur,
				(long long)h->files.rlim_max});
	if (rc == 0)
		rc = PUT(to, KEY_POOL, .n = {h->give, h->take, h->pool_format});
	if (rc == 0)
		rc = put_file(to, KEY_OWN, &h->own);
	if (rc == 0)
		rc = put_file(to, KEY_NAMED, &h->named);
	if (rc == 0 && h->unsaid >= 0)
		rc = PUT(to, KEY_UNSAID, .n = {h->unsaid, (long long)h->lost});
	if (rc == 0)
		rc = PUT(to, KEY_SECRET, .n = {h->secret});
	if (rc == 0)
		rc = put_lists(to, h);
	return rc == 0 && buf_failed(to) ? -ENOMEM : rc;
}

/* --- reading ----------------------------------------------------------------- */

static int
read_number(struct str word, long long *ret)
{
	char text[24], *end;

	if (word.len == 0 || word.len >= sizeof(text))
		return -EINVAL;
	memcpy(text, word.p, word.len);
	text[word.len] = '\0';
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno != 0 || *end != '\0' ? -EINVAL : 0;
}

static int
take_words(struct heritage *h, const struct row *row,
	const struct control_line *line)
{
	AUTO_FREE char *text = NULL;
	struct item item = {.text = ""};

	if (line->n != 1 + row->numbers + row->text)
		return -EINVAL;
	for (size_t i = 0; i < row->numbers; i++)
		if (read_number(line->words[1 + i], &item.n[i]) < 0)
			return -EINVAL;
	if (row->text) {
		struct str last = line->words[line->n - 1];

		text = strndup(last.p, last.len);
		if (text == NULL)
			return -ENOMEM;
		item.text = text;
	}
	return row->take(h, &item);
}

static int
take_line(struct heritage *h, struct str text)
{
	struct control_line line;

	if (control_decode(&line, text) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_equal(line.words[0], str_of(rows[i].key)))
			return take_words(h, &rows[i], &line);
	return 0;
}

static bool
next_line(struct str *rest, struct str *ret)
{
	const char *end =
		rest->len > 0 ? memchr(rest->p, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*ret = (struct str){rest->p, (size_t)(end - rest->p)};
	rest->len -= ret->len + 1;
	rest->p = end + 1;
	return true;
}

/* Half of a heritage is none. */
static bool
is_whole(const struct heritage *h)
{
	return h->from > 0 && h->give >= 0 && h->buckets > 0 &&
	       (h->report >= 0) == (h->way != HERITAGE_IN_PLACE);
}

int
heritage_decode(struct heritage *ret, struct str text, struct err *err)
{
	struct heritage h;
	struct str line;
	int rc = 0;

	heritage_init(&h);
	if (!next_line(&text, &line) || !str_equal(line, STR(FIRST_LINE)))
		return err_setx(err, EINVAL,
			"what the old master has left is of another version: "
			"stop it and start this one");
	while (rc == 0 && next_line(&text, &line))
		rc = take_line(&h, line);
	if (rc == 0 && (text.len > 0 || !is_whole(&h)))
		rc = -EINVAL;
	if (rc == 0) {
		*ret = h;
		return 0;
	}
	/* Numbers that made no sense are no descriptors of ours. */
	heritage_disown(&h);
	heritage_fini(&h);
	if (rc == -ENOMEM)
		return err_set(err, ENOMEM, "what the old master has left");
	return err_setx(err, EINVAL,
		"what the old master has left cannot be read: line \"%.*s\"",
		(int)(line.len < 80 ? line.len : 80), line.p);
}
