/*
 * What a scheme needs of a request, read from its event.
 */
#ifndef SIGNED_REQUEST_H
#define SIGNED_REQUEST_H

#include "signed/verify.h"

/* Takes the first set of headers whose signature was sent. What another set says, or a second line, must be the same: a
 * stage that reads a header later could read another one than was verified. Returns why the request cannot be read, else
 * NULL; *memory_short_out says that it could be read later. The values are in the event's memory. */
const char *signed_request_read(const struct verifier *verifier, const struct scheme *scheme,
                                struct sluice_event *event, struct signed_request *request_out, bool *memory_short_out);

/* The address that the sender used: `listen.public_url` where it has a path, else as the request says; with the query. */
struct sluice_bytes signed_request_url(struct sluice_event *event);

#endif
