/*
 * The admin listener: health, metrics, statistics, lineage, and what runs. Its own socket; a bearer token is required
 * unless only this machine can reach it.
 */
#ifndef SERVE_ADMIN_H
#define SERVE_ADMIN_H

#include <sluice/error.h>

#include "serve/listener.h"
#include "serve/service.h"

struct admin;

/* Starts to listen as `admin:` of the service's config says. NULL and a sentence if it cannot. */
struct admin *admin_start(struct service *service, struct sluice_error *error);
void admin_get_url(const struct admin *admin, char url[LISTENER_URL_SIZE]);
void admin_stop(struct admin *admin); /* NULL is allowed */

#endif
