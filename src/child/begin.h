/*
 * begin.h - what the program of a child does with its command line.
 *
 * It is a program's main, or what takes the place of the interpreter's:
 * pythons/inside.h.
 */
#ifndef WSGID_CHILD_BEGIN_H
#define WSGID_CHILD_BEGIN_H

/* The exit status: one of base/exits.h.  facts_text is that of pythons/facts.h
 * about the Python that this was built for. */
int child_begin(int argc, char **argv, const char *facts_text);

#endif
