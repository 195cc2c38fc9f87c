/*
 * Bodies that come compressed (Content-Encoding, RFC 9110, section 8.4): inflated on the way down, not when they are received,
 * so that nobody has to be given memory and time for it who has not proven who they are.
 */
#ifndef RUNTIME_INFLATE_H
#define RUNTIME_INFLATE_H

#include "runtime/event.h"

/* PASS: the event's body is what was compressed. Else it explains: 413 beyond `event->inflated_max` bytes, 400 where it is not
 * of its coding, RETRY without memory. */
enum sluice_verdict inflate_body(struct event *event);

#endif
