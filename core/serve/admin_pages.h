/*
 * The pages of the admin listener: health, metrics, statistics, lineage, and what runs. Who asks has been let in.
 */
#ifndef SERVE_ADMIN_PAGES_H
#define SERVE_ADMIN_PAGES_H

#include "base/buffer.h"
#include "base/digest.h"
#include "serve/http_response.h"
#include "serve/reload.h"
#include "serve/service.h"

/* One request and its response. */
struct admin_request {
	struct service *service;
	struct MHD_Connection *mhd;
	const char *rest; /* of the path, behind the route's own */
	struct http_response response;
	struct buffer body;
	char request_id[UUID_TEXT_SIZE];
	struct canary_request canary; /* of the job */
	struct reload_job job;        /* what is left to do before there is a response; RELOAD_NOTHING: it is there */
};

/* Fills the response: the page of that path, or why there is none. */
void admin_serve(struct admin_request *request, const char *path, const char *method);

void admin_refuse(struct admin_request *request, int status, const char *detail);

#endif
