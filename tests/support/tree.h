/*
 * tree.h - removing what a unit test has made: a directory with all in it.
 */
#ifndef WSGID_TESTS_SUPPORT_TREE_H
#define WSGID_TESTS_SUPPORT_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int
tree_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* 0, or what nftw(3) says; symbolic links are not followed. */
static inline int
tree_remove(const char *path)
{
	return nftw(path, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
