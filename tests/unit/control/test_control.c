/*
 * test_control.c - lines of the control socket, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "base/err.h"
#include "control/control.h"

#define LINE(literal)                           \
	{                                       \
		"" literal, sizeof(literal) - 1 \
	}

static void
test_words_become_a_line_and_words_again(void **state)
{
	static const struct {
		struct str words[4];
		size_t n;
		const char *line;
	} rows[] = {
		{{LINE("status")}, 1, "status\n"},
		{{LINE("retire"), LINE("3")}, 2, "retire 3\n"},
		{{LINE("error"), LINE("it is bad")}, 2,
			"error it%20is%20bad\n"},
		{{LINE("+"), LINE("100%"), LINE("a\nb\tc\x7f")}, 3,
			"+ 100%25 a%0Ab%09c%7F\n"},
		{{LINE("+"), LINE("caf\xc3\xa9")}, 2, "+ caf\xc3\xa9\n"},
		{{LINE("+"), LINE(""), LINE("x"), LINE("")}, 4, "+  x \n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct control_line line;
		struct buf out = {0};

		assert_int_equal(
			control_encode(&out, rows[i].words, rows[i].n), 0);
		assert_string_equal(buf_text(&out), rows[i].line);
		assert_int_equal(control_decode(&line,
					 (struct str){out.data, out.len - 1}),
			0);
		assert_int_equal(line.n, rows[i].n);
		for (size_t j = 0; j < line.n; j++)
			assert_true(str_equal(line.words[j], rows[i].words[j]));
		buf_fini(&out);
	}
}

static void
test_a_bad_line_is_refused(void **state)
{
	static const struct str rows[] = {
		LINE(""),           /* no verb */
		LINE(" status"),    /* likewise */
		LINE("a%"),         /* not all of %XX */
		LINE("a%2"),        /* likewise */
		LINE("a%2 b"),      /* likewise */
		LINE("a%zz"),       /* no digits */
		LINE("a%+1"),       /* likewise */
		LINE("a%00"),       /* would end a string */
		LINE("a\0b"),       /* likewise */
		LINE("status\r"),   /* control characters */
		LINE("a\tb"),       /* likewise */
		LINE("a\x7f"),      /* likewise */
		LINE("a\033[31mb"), /* likewise */
		LINE("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct control_line line;

		if (control_decode(&line, rows[i]) != -EINVAL)
			fail_msg("row %zu: \"%s\" was taken", i, rows[i].p);
		assert_int_equal(line.n, 0);
	}
}

static void
test_as_many_words_as_there_may_be(void **state)
{
	struct control_line line;

	(void)state;
	assert_int_equal(control_decode(&line,
				 STR("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")),
		0);
	assert_int_equal(line.n, 16);
	assert_true(str_equal(line.words[15], STR("16")));
}

static void
test_a_line_has_a_longest_length(void **state)
{
	static char text[CONTROL_LINE + 1];
	struct control_line line;
	struct buf out = {0};
	struct str word = {text, CONTROL_LINE - 1};

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(control_decode(&line, word), 0);
	assert_int_equal(line.words[0].len, CONTROL_LINE - 1);
	assert_int_equal(control_encode(&out, &word, 1), 0);
	assert_int_equal(out.len, CONTROL_LINE);

	word.len++;
	assert_int_equal(control_decode(&line, word), -EINVAL);
	assert_int_equal(control_encode(&out, &word, 1), -E2BIG);
	assert_int_equal(out.len, CONTROL_LINE);
	buf_fini(&out);
}

static void
test_the_longest_sentence_of_an_error_fits(void **state)
{
	struct err err;
	struct str words[2] = {STR("error")};
	struct buf out = {0};

	(void)state;
	memset(err.text, ' ', sizeof(err.text));
	err.text[sizeof(err.text) - 1] = '\0';
	words[1] = str_of(err.text);
	assert_int_equal(control_encode(&out, words, 2), 0);
	buf_fini(&out);
}

static void
test_what_cannot_be_said_is_not_half_said(void **state)
{
	struct str many[CONTROL_WORDS + 1];
	static const struct {
		struct str words[2];
		size_t n;
	} rows[] = {
		{{LINE("a")}, 0},
		{{LINE(""), LINE("a")}, 2},
		{{LINE("a"), LINE("b\0c")}, 2},
	};
	struct buf out = {0};

	(void)state;
	buf_add_text(&out, "before\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(control_encode(&out, rows[i].words, rows[i].n),
			-EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = STR("x");
	assert_int_equal(control_encode(&out, many, ARRAY_LEN(many)), -EINVAL);
	assert_string_equal(buf_text(&out), "before\n");
	buf_fini(&out);
}

/* Whatever is taken comes out of encode again in words that are the same. */
static void
test_random_lines_are_taken_whole_or_not_at_all(void **state)
{
	static const char alphabet[] = "ab %%%0123AFf\n\x7f\xc3";
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct control_line line, again;
		struct buf out = {0};
		char text[24];
		size_t len = (size_t)rand_r(&seed) % sizeof(text);

		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[(size_t)rand_r(&seed) %
					   (sizeof(alphabet) - 1)];
		if (control_decode(&line, (struct str){text, len}) < 0)
			continue;
		/* "%20"s may make a word that begins with anything. */
		assert_int_equal(control_encode(&out, line.words, line.n), 0);
		assert_int_equal(control_decode(&again,
					 (struct str){out.data, out.len - 1}),
			0);
		assert_int_equal(again.n, line.n);
		for (size_t i = 0; i < line.n; i++)
			assert_true(str_equal(again.words[i], line.words[i]));
		buf_fini(&out);
	}
}

/* --- lines that nobody has thought of ---------------------------------------- */

/* The same lines in every run: xorshift32. */
static unsigned
chance(unsigned *seed, unsigned below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

/* Change, remove, double or insert some bytes, or cut the end off. */
static size_t
mutate(char *line, size_t len, size_t size, unsigned *seed)
{
	static const char spice[] = {
		'%', ' ', '0', 'f', '\n', '\0', '\x7f', (char)0xff};

	for (unsigned n = 1 + chance(seed, 6); n > 0 && len > 0; n--) {
		size_t at = chance(seed, (unsigned)len);
		size_t part = chance(seed, (unsigned)(len - at)) + 1;

		switch (chance(seed, 5)) {
		case 0:
			line[at] = (char)chance(seed, 256);
			break;
		case 1:
			line[at] = spice[chance(seed, sizeof(spice))];
			break;
		case 2:
			memmove(line + at, line + at + part, len - at - part);
			len -= part;
			break;
		case 3:
			if (len + part > size)
				break;
			memmove(line + at + part, line + at, len - at);
			len += part;
			break;
		default:
			len = at;
		}
	}
	return len;
}

/* What was taken can be said, and means the same again. */
static void
check_taken(const struct control_line *line)
{
	struct control_line again;
	struct buf out = {0};

	for (size_t i = 0; i < line->n; i++) {
		const struct str *w = &line->words[i];

		assert_true(w->p >= line->text);
		assert_true(w->p + w->len <= line->text + CONTROL_LINE);
		assert_null(memchr(w->p, '\0', w->len));
	}
	/* "%20" and such can be longer than what they were made of. */
	if (control_encode(&out, line->words, line->n) == 0) {
		assert_int_equal(control_decode(&again,
					 (struct str){out.data, out.len - 1}),
			0);
		assert_int_equal(again.n, line->n);
		for (size_t i = 0; i < line->n; i++)
			assert_true(str_equal(again.words[i], line->words[i]));
	}
	buf_fini(&out);
}

static void
test_no_mutation_of_a_line_is_taken_for_what_it_is_not(void **state)
{
	static const char *const lines[] = {
		"status",
		"log-level debug",
		"stop now",
		"scale 4",
		"+ child 3 4711 1 draining",
		"error it%20is%20bad%0A%25 x  y",
		"a b c d e f g h i j k l m n o p",
	};
	unsigned seed = 20261126, taken = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		const char *from = lines[i % ARRAY_LEN(lines)];
		/* Of this length exactly, so that a sanitizer sees a step
		 * beyond it. */
		char text[CONTROL_LINE + 64], *line;
		struct control_line decoded;
		size_t len = strlen(from);

		memcpy(text, from, len);
		len = mutate(text, len, sizeof(text), &seed);
		line = malloc(len + (len == 0));
		assert_non_null(line);
		memcpy(line, text, len);
		if (control_decode(&decoded, (struct str){line, len}) == 0) {
			check_taken(&decoded);
			taken++;
		} else {
			refused++;
		}
		free(line);
	}
	/* Both ways were walked. */
	assert_true(taken > 1000 && refused > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_become_a_line_and_words_again),
		cmocka_unit_test(test_a_bad_line_is_refused),
		cmocka_unit_test(test_as_many_words_as_there_may_be),
		cmocka_unit_test(test_a_line_has_a_longest_length),
		cmocka_unit_test(test_the_longest_sentence_of_an_error_fits),
		cmocka_unit_test(test_what_cannot_be_said_is_not_half_said),
		cmocka_unit_test(
			test_random_lines_are_taken_whole_or_not_at_all),
		cmocka_unit_test(
			test_no_mutation_of_a_line_is_taken_for_what_it_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
