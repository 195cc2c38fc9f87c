/*
 * The response of the webhook listener: what became of a request, as HTTP.
 */
#ifndef SERVE_WEBHOOK_RESPONSE_H
#define SERVE_WEBHOOK_RESPONSE_H

#include <microhttpd.h>

#include "serve/exchange.h"

/* Queues the response of an exchange that is complete or refused. */
enum MHD_Result webhook_response_send(struct exchange *exchange);

/* Counts the response of an exchange, whose entry is complete, and logs why the listener refused it. */
void webhook_response_count(struct exchange *exchange);

#endif
