/*
 * Telling the service manager how it goes, as sd_notify(3) has it: a datagram to the socket that NOTIFY_SOCKET names.
 */
#ifndef SERVE_NOTIFY_H
#define SERVE_NOTIFY_H

#include <stdbool.h>

/* Sends `state` ("READY=1", "STOPPING=1"). True when it was sent, or when nobody asks: the variable is not set. False
 * and errno when it names no socket that takes it; a program goes on all the same. */
bool notify_send(const char *state);

#endif
