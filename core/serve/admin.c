/*
 * The admin listener; see admin.h. Access is decided by the head of a request, before any of its body is taken; no page
 * takes one.
 */
#include "serve/admin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "serve/admin_access.h"
#include "serve/admin_pages.h"
#include "serve/front.h"

enum {
	CONNECTIONS_MAX = 64,
	HEADER_MAX = 16 * 1024,
	BODY_MAX = 64 * 1024, /* read and ignored */
	RECEIVE_S = 5,
	SEND_S = 10,
	GRACE_S = 2,
	IDLE_S = 60,
	JOB_S = 3600, /* a connection that waits for a reload is not cut; the reload has its own limits */
};

struct admin {
	struct service *service;
	struct front front;
	struct admin_access access;
	_Atomic uint64_t evicted;
};

static struct admin_request *begin(struct admin *admin, struct MHD_Connection *mhd)
{
	struct admin_request *request = must_calloc(1, sizeof(*request));
	request->service = admin->service;
	request->mhd = mhd;
	request->response = (struct http_response){
		.status = MHD_HTTP_OK, .content_type = HTTP_TYPE_JSON, .body = &request->body};
	digest_uuid7(clock_wall_ns(), request->request_id);
	return request;
}

static const char *header(struct MHD_Connection *mhd, const char *name)
{
	return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

static enum MHD_Result count_authorization(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind, (void)value;
	*(size_t *)context += strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0;
	return MHD_YES;
}

static bool has_several_authorizations(struct MHD_Connection *mhd)
{
	size_t count = 0;
	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, count_authorization, &count);
	return count > 1;
}

/* Whether a body comes that is worth ending the connection for, rather than reading it. */
static bool has_large_body(struct MHD_Connection *mhd)
{
	const char *length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
	return header(mhd, MHD_HTTP_HEADER_TRANSFER_ENCODING) || (length && strtoull(length, NULL, 10) > BODY_MAX);
}

static void check(struct admin *admin, struct connection *connection, struct admin_request *request, const char *method)
{
	struct MHD_Connection *mhd = request->mhd;
	const struct admin_credentials credentials = {
		.method = method,
		.authorization = header(mhd, MHD_HTTP_HEADER_AUTHORIZATION),
		.host = header(mhd, MHD_HTTP_HEADER_HOST),
		.origin = header(mhd, "Origin"),
		.fetch_site = header(mhd, "Sec-Fetch-Site"),
		.several = has_several_authorizations(mhd),
	};
	const int64_t now_ns = clock_now_ns();
	const struct admin_denial *denial = admin_access_check(&admin->access, &credentials, &connection->peer, now_ns);
	if (!denial)
		admission_remember(&admin->front.admission, connection, now_ns);
	if (denial && denial->status == MHD_HTTP_UNAUTHORIZED)
		http_response_header(&request->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (denial && denial->status == MHD_HTTP_TOO_MANY_REQUESTS)
		http_response_header(&request->response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (!intercept_passed(&connection->intercept))
		admin_refuse(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "this libmicrohttpd cannot be used");
	else if (denial)
		admin_refuse(request, denial->status, denial->detail);
	else if (has_large_body(mhd))
		admin_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "no page takes a body");
}

static enum MHD_Result respond(struct admin *admin, struct connection *connection, struct admin_request *request)
{
	connection->overdue = false;
	if (!connection_enter(connection, CONNECTION_BUSY, SEND_S * NS_PER_S))
		return MHD_NO;
	http_response_header(&request->response, "X-Request-Id", request->request_id);
	return http_response_queue(request->mhd, &request->response, service_listen(admin->service));
}

/* On the reloader's thread. */
static void end_job(void *context, const struct reload_result *result)
{
	struct admin_request *request = context;
	request->job.kind = RELOAD_NOTHING;
	if (result->status == MHD_HTTP_OK)
		buffer_add(&request->body, result->body.data, result->body.size);
	else
		admin_refuse(request, result->status, result->error.text);
	MHD_resume_connection(request->mhd);
}

/* Others are served meanwhile; handle() is called again when it is done. */
static enum MHD_Result begin_job(struct admin *admin, struct connection *connection, struct admin_request *request)
{
	if (!connection_enter(connection, CONNECTION_BUSY, JOB_S * NS_PER_S))
		return MHD_NO;
	MHD_suspend_connection(request->mhd);
	intercept_suspended(&connection->intercept);
	struct service *service = admin->service;
	service->ask_reloader(atomic_load(&service->reloader), request->job, end_job, request);
	return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *mhd, const char *path, const char *method,
                              const char *version, const char *data, size_t *data_size, void **place)
{
	struct admin *admin = context;
	struct connection *connection = *place;
	struct admin_request *request = connection->request;
	(void)version, (void)data;
	if (!request) {
		request = connection->request = begin(admin, mhd);
		check(admin, connection, request, method);
		if (request->body.size > 0 && has_large_body(mhd))
			return respond(admin, connection, request);
		return connection_enter(connection, CONNECTION_BODY, RECEIVE_S * NS_PER_S) &&
		                       front_invite_body(connection)
		               ? MHD_YES
		               : MHD_NO;
	}
	if (*data_size > 0) {
		*data_size = 0;
		return MHD_YES;
	}
	if (request->body.size == 0)
		admin_serve(request, path, method);
	return request->job.kind ? begin_job(admin, connection, request) : respond(admin, connection, request);
}

static void finish(void *context, struct connection *connection)
{
	struct admin_request *request = connection->request;
	(void)context;
	if (!request)
		return;
	connection->request = NULL;
	buffer_finish(&request->body);
	free(request);
}

static const struct front_functions functions = {.handle = handle, .finish = finish};

struct admin *admin_start(struct service *service, struct sluice_error *error)
{
	const struct admin_config *config = &service->config->admin;
	int listener = listener_open("admin", config->address, config->port, error);
	if (listener < 0)
		return NULL;
	if (!config->token && !listener_is_loopback(listener)) {
		(void)sluice_error_set(
			error,
			"admin.token is required because %s is not a loopback address: set it, or set admin.address to 127.0.0.1",
			config->address);
		(void)close(listener);
		return NULL;
	}
	struct admin *admin = must_calloc(1, sizeof(*admin));
	admin->service = service;
	admin_access_init(&admin->access, config->token);
	admin->front = (struct front){
		.functions = &functions,
		.context = admin,
		.listen = service_listen(service),
		.name = "admin",
		.evicted = &admin->evicted,
		.header_timeout_ns = RECEIVE_S * NS_PER_S,
		.keep_alive_ns = IDLE_S * NS_PER_S,
		.max_connections = CONNECTIONS_MAX,
		.max_header = HEADER_MAX,
		.threads = 1,
		.table = {.grace_ns = GRACE_S * NS_PER_S},
	};
	if (front_start(&admin->front, listener, error))
		return admin;
	free(admin);
	return NULL;
}

void admin_get_url(const struct admin *admin, char url[LISTENER_URL_SIZE])
{
	memcpy(url, admin->front.url, LISTENER_URL_SIZE);
}

void admin_stop(struct admin *admin)
{
	if (!admin)
		return;
	acceptor_close(&admin->front.acceptor);
	front_stop(&admin->front);
	front_finish(&admin->front);
	free(admin);
}
