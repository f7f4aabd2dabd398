/*
 * nearest.c - "did you mean ...?"  See nearest.h.
 */
#include "config/nearest.h"

#include <string.h>

#include "config/directive.h"

enum { WORD = 64 }; /* longer words have no neighbours */

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many letters to add, drop, change or swap with a neighbour; letters of
 * either case are the same. */
static unsigned
distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned rows[3][WORD + 1];

	if (a_len > WORD || b_len > WORD)
		return WORD;
	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3];
		const unsigned *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			now[j] = least(last[j - 1] + !same,
				least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && !same &&
				fold(a[i - 1]) == fold(b[j - 2]) &&
				fold(a[i - 2]) == fold(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

/* The letters that tell a word from others: what all of its kind begin with
 * would only make short ones long, and --test near to --host. */
static unsigned
count_letters(const char *word)
{
	static const char *const beginnings[] = {"--", "WSGID_"};

	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		size_t len = strlen(beginnings[i]);

		if (strncmp(word, beginnings[i], len) == 0)
			return (unsigned)strlen(word + len);
	}
	return (unsigned)strlen(word);
}

/* Slips are few in a short word; beyond that it is another word. */
struct nearest
nearest_begin(const char *wanted)
{
	return (struct nearest){
		.wanted = wanted,
		.distance = 2 + count_letters(wanted) / 5,
	};
}

bool
nearest_consider(struct nearest *n, const char *candidate)
{
	unsigned d;

	if (candidate == NULL)
		return false;
	d = distance(n->wanted, candidate);
	if (d >= n->distance)
		return false;
	n->distance = d;
	n->best = candidate;
	return true;
}

const char *
directive_nearest(const char *name)
{
	static const char *const syntax[] = {
		"Include", "IncludeOptional", "Define", "UnDefine"};
	struct nearest s = nearest_begin(name);

	for (size_t i = 0; i < directive_count(); i++)
		if (directive_at(i)->where == DIRECTIVE_SERVER)
			nearest_consider(&s, directive_at(i)->name);
	for (size_t i = 0; i < ARRAY_LEN(syntax); i++)
		nearest_consider(&s, syntax[i]);
	return s.best;
}

const char *
directive_nearest_option(const char *option)
{
	struct nearest s = nearest_begin(option);

	for (size_t i = 0; i < directive_count(); i++)
		for (size_t k = 0; k < DIRECTIVE_OPTIONS; k++)
			nearest_consider(
				&s, directive_option(directive_at(i), k));
	return s.best;
}

static void
consider_environment(struct nearest *s, const char *option, struct buf *out)
{
	struct buf b = {0};

	if (option == NULL)
		return;
	directive_environment(option, &b);
	if (nearest_consider(s, buf_text(&b))) {
		buf_clear(out);
		buf_add_text(out, buf_text(&b));
		s->best = NULL; /* was b's */
	}
	buf_fini(&b);
}

const char *
directive_nearest_environment(const char *name, struct buf *out)
{
	struct nearest s = nearest_begin(name);

	for (size_t i = 0; i < directive_count(); i++)
		for (size_t k = 0; k < DIRECTIVE_OPTIONS; k++)
			consider_environment(
				&s, directive_option(directive_at(i), k), out);
	return out->len > 0 ? buf_text(out) : NULL;
}
