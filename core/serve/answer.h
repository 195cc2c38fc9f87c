/*
 * The answer of the public door: what became of a request, as HTTP.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include <microhttpd.h>

#include "serve/exchange.h"

/* Queues the answer to a settled or refused exchange. */
enum MHD_Result answer_send(struct exchange *exchange);

#endif
