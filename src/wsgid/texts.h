/*
 * texts.h - what wsgid prints when it is asked about itself.
 */
#ifndef WSGID_WSGID_TEXTS_H
#define WSGID_WSGID_TEXTS_H

void texts_print_help(void);
void texts_print_version(void);
/* wsgid -V: how it was built. */
void texts_print_facts(void);

#endif
