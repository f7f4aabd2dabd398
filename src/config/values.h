/*
 * values.h - the kinds of values, from an administrator's text and back.
 *
 * A parser takes the words behind a directive and fills one value, or says in
 * one sentence what is wrong and what is expected.  It is strict: a number
 * that has anything around it is not a number.  A writer does the reverse,
 * so that its text parsed again gives the same value.
 */
#ifndef WSGID_CONFIG_VALUES_H
#define WSGID_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/directive.h"

struct err;

/* The longest single value; longer ones are refused, so that every line of
 * config_dump is one that can be read again. */
enum { VALUE_BYTES = 8192 };

struct config_log_format {
	const char *nickname;
	const char *format;
};

union directive_value {
	long number;
	int64_t amount; /* milliseconds or bytes */
	int word;
	bool flag;
	const char *text;
	struct config_listen listen;
	struct config_access_log access_log;
	struct config_log_format log_format;
	struct config_networks networks;
	struct config_proxy_headers proxy_headers;
	struct config_read_timeout read_timeout;
};

struct directive_input {
	const struct directive *row;
	const char *const *words; /* behind the directive's name */
	size_t n;
	const char *where;   /* for messages */
	const char *base;    /* relative paths start here; NULL = the current
			      * directory */
	struct arena *arena; /* texts of the value go here */
	const void *before;  /* what a line of the same source has given; NULL:
			      * there is none yet */
};

/* How the target of a row is kept. */
enum directive_storage {
	STORED_PLAIN, /* copied to the offset, size bytes */
	STORED_LISTENS,
	STORED_ACCESS_LOGS,
	STORED_LOG_FORMATS,
	STORED_NETWORKS, /* a line more of the same source adds to it */
	STORED_TEXTS,    /* likewise, each behind a comma */
};

struct directive_type {
	const char *metavar; /* "N", "TIME": for lists of options */
	enum directive_storage storage;
	size_t size;
	bool is_flag;    /* its option may stand without a value */
	bool many_words; /* a value of an option is split into words */
	bool commas;     /* an environment value is a list with commas */

	/* 0, or -EINVAL with the sentence in *err, or -ENOMEM. */
	int (*parse)(const struct directive_input *in,
		union directive_value *ret, struct err *err);

	/* Append a stored value, quoted where it must be; nothing for a value
	 * that is not set.  NULL for what dump.c writes itself. */
	int (*write)(const struct directive *row, const void *target,
		struct buf *out);
};

extern const struct directive_type value_number;      /* long */
extern const struct directive_type value_auto_number; /* long, CONFIG_AUTO */
extern const struct directive_type value_bytes;       /* long, 64k */
extern const struct directive_type value_size;        /* int64_t, 1g */
extern const struct directive_type value_time;        /* int64_t, ms */
extern const struct directive_type value_flag;        /* bool */
extern const struct directive_type value_choice;      /* int */
extern const struct directive_type value_text;        /* const char * */
extern const struct directive_type value_texts;       /* a,b */
extern const struct directive_type value_mount_point;
extern const struct directive_type value_urls;        /* such, of URLs */
extern const struct directive_type value_x_options;   /* such, of -X */
extern const struct directive_type value_accept_filter; /* bool */
extern const struct directive_type value_mutex; /* const char *, as Apache's */
extern const struct directive_type value_path;        /* made absolute */
extern const struct directive_type value_log_target;  /* a path or "-" */
extern const struct directive_type value_path_list;   /* a:b */
extern const struct directive_type value_read_timeout;
extern const struct directive_type value_networks; /* see config.h */
extern const struct directive_type value_proxy_headers; /* likewise */
extern const struct directive_type value_interpreter; /* 3.11, or a path */
extern const struct directive_type value_hash_seed;   /* random, or 0 */
extern const struct directive_type value_listen;
extern const struct directive_type value_access_log;
extern const struct directive_type value_log_format;

/* May this application be a file rather than a module?  "shop.wsgi" and
 * "shop.wsgi:app" may be both; with a "/" in it it is a file. */
bool value_may_be_script(const char *application);

/* How much of it names the file or the module: all before ":callable". */
size_t value_module_length(const char *application);

/* path, made absolute with base, or with the current directory where base is
 * NULL.  0, or a negative errno and a sentence. */
int value_absolute(const char **ret, struct arena *arena, const char *base,
	const char *path, struct err *err);

/* Append "MIN to MAX" in the units of the row. */
int value_write_range(const struct directive *row, struct buf *out);

/* Append text as one word of a configuration line. */
int value_write_word(const char *text, struct buf *out);

/* Text from outside, fit to stand in a message: one line, not too long. */
struct shown {
	char text[100];
};
struct shown value_show(const char *text);

#endif
