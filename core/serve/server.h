/*
 * The webhook listener: takes webhooks in over HTTP and responds to them.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <stdint.h>

#include <sluice/error.h>

#include "serve/listener.h"
#include "serve/service.h"

struct server;

/* Starts to listen as `listen:` of the service's config says. NULL and a sentence if it cannot. */
struct server *server_start(struct service *service, struct sluice_error *error);

/* The service's listen settings have changed; what a listener cannot change while it listens stays. */
void server_follow(struct server *server);

void server_get_url(const struct server *server, char url[LISTENER_URL_SIZE]);

/* Accepts nothing more, finishes what is in flight (the pipeline's events, too) and closes every connection; at
 * `until_ns` (monotonic) what is still without a response gets 503. Returns how many events were still inside the
 * pipeline. */
size_t server_stop(struct server *server, int64_t until_ns);

/* After the pipeline's end: an event that was left inside may still try to respond. */
void server_free(struct server *server);

#endif
