/*
 * fuzz.h - what a fuzz target is.
 *
 * One file a parser.  tools/fuzz builds it with libFuzzer and lets it look for
 * trouble; the build links it with replay.c into a unit test, which goes
 * through tests/fuzz/corpus/NAME and tests/fuzz/regressions/NAME.
 *
 * A target copies its input where it matters that a read behind the end is
 * seen: what libFuzzer hands over ends where the memory does, so that is not
 * often.  What must hold is asserted; assert is on in every build.
 */
#ifndef WSGID_TESTS_FUZZ_FUZZ_H
#define WSGID_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
