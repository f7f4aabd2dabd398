/*
 * config_priv.h - what the files of this folder share.
 */
#ifndef WSGID_CONFIG_CONFIG_PRIV_H
#define WSGID_CONFIG_CONFIG_PRIV_H

#include "base/defs.h"
#include "config/config.h"
#include "config/directive.h"
#include "config/values.h"

/* From the weakest to the strongest. */
enum config_source {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_DEFAULT_VARIABLE, /* WSGID_DEFAULT_LISTEN */
	CONFIG_FROM_PORT,             /* of Listen alone */
	CONFIG_FROM_FILE,
	CONFIG_FROM_FOREIGN_ENVIRONMENT, /* WEB_CONCURRENCY, WSGI_APP */
	CONFIG_FROM_ENVIRONMENT,
	CONFIG_FROM_COMMAND_LINE,
};

/* What is known about the value of a row. */
struct config_setting {
	enum config_source source;
	const char *where;
};

struct config_define {
	struct config_define *next;
	const char *name;
	const char *value;
	bool from_command_line; /* with a value: a file does not change it */
	bool undefined;         /* by UnDefine */
};

struct config_nickname {
	struct config_nickname *next;
	struct config_log_format format;
	enum config_source source;
	const char *where;
};

struct config_private {
	struct arena arena;
	struct config_message *messages;
	size_t n_messages;
	size_t room; /* for messages */
	size_t n_fatal;
	bool misread_option;
	bool too_many; /* mistakes: nothing more is read */
	bool no_memory;
	bool may_be_dump; /* the text being read can be config_dump's */
	unsigned n_files; /* read so far */
	size_t expanded;  /* bytes that stood for a ${NAME} so far */
	struct config_setting *settings; /* one a row of the table */
	struct config_define *defines;
	struct config_nickname *nicknames;
	const char **access_log_wheres; /* of c->access_logs */
	const char *application_base;   /* as in struct directive_input */
	const char *port;               /* what PORT says, or NULL */
};

/* More mistakes than this are not listed. */
enum { CONFIG_MISTAKES = 100 };

/* Add a message; directive may be NULL. */
void config_fail(struct config *c, const char *where, const char *directive,
	const char *format, ...) PRINTF(4, 5);
void config_warn(struct config *c, const char *where, const char *directive,
	const char *format, ...) PRINTF(4, 5);
void config_no_memory(struct config *c);

/* Parse the words and keep the value, unless a stronger source has set it.
 * Mistakes become messages. */
void config_apply(struct config *c, enum config_source source,
	const struct directive_input *in);

/* The same for the one text of an option or an environment variable. */
void config_apply_text(struct config *c, enum config_source source,
	const struct directive *row, const char *text, const char *where);

struct config_setting *config_setting_of(
	const struct config *c, const struct directive *row);

/* What is known about, and the directive's name of, a member of struct
 * config. */
#define SETTING(c, member) \
	config_setting_of((c), directive_of(offsetof(struct config, member)))
#define NAME_OF(member) (directive_of(offsetof(struct config, member))->name)

/* processes.c: the rules about processes and threads. */
void processes_settle(struct config *c, const struct config_machine *machine);
/* buckets.c: afterwards, what ListenCoresBucketsRatio makes of them. */
void buckets_settle(struct config *c, const struct config_machine *machine);

#endif
