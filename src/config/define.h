/*
 * define.h - the names of Define, UnDefine and -D.
 */
#ifndef WSGID_CONFIG_DEFINE_H
#define WSGID_CONFIG_DEFINE_H

#include <stdbool.h>

#include "base/str.h"

struct config;
struct err;

bool define_is_name(struct str name);

/* Define name, with a value or NULL.  What the command line gave a value
 * stays.  0, -EINVAL for a name that is none, or -ENOMEM. */
int define_add(struct config *c, struct str name, const char *value,
	bool from_command_line);

void define_remove(struct config *c, struct str name);

/* For <IfDefine>. */
bool define_exists(const struct config *c, struct str name);

/* For ${NAME}, a lexer_lookup: a define's value, else the environment's; NULL
 * and a sentence when there is none. */
const char *define_value(void *config, struct str name, struct err *err);

#endif
