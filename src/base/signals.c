/*
 * signals.c - signals with a meaning between the server's own processes.
 *
 * Functions, because the C library keeps some real-time signals for itself and
 * says at run time which is the first that is free.
 */
#include "base/signals.h"

#include <signal.h>

int
signal_traceback(void)
{
	return SIGRTMIN + 7;
}

int
signal_of_death(void)
{
	return SIGRTMIN + 8;
}

int
signal_of_alarm(void)
{
	return SIGRTMIN + 9;
}
