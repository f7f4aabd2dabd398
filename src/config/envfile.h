/*
 * envfile.h - EnvironmentFile: NAME=VALUE lines, as ".env" files have them.
 *
 * A line may begin with "export"; # and ; begin comments.  A value may stand in
 * quotes, over lines: between single ones every character is itself, between
 * double ones \" \\ \$ and \` are what follows the backslash and \n, \t and \r a
 * new line, a tab and a return.  $NAME is nothing special.
 */
#ifndef WSGID_CONFIG_ENVFILE_H
#define WSGID_CONFIG_ENVFILE_H

#include <stddef.h>

struct config;
struct err;

/* The entries of a file, "NAME=VALUE", ended by NULL; one block of memory that
 * the caller frees.  0, or a negative errno and a sentence with the place. */
int envfile_read(char ***ret, const char *path, struct err *err);

/* Whatever is wrong with the one that is named becomes a message of the
 * configuration. */
void envfile_check(struct config *c);

#endif
