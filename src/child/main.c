/*
 * main.c - the child program that has Python in it, or Python's library.
 */
#include "child/begin.h"
#include "pythons/facts.h"

int
main(int argc, char **argv)
{
	return child_begin(argc, argv, facts_of_program);
}
