/*
 * The webhook listener; see server.h. Its sockets and connections are those of front.h; here is what happens to requests.
 */
#include "serve/server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "serve/exchange.h"
#include "serve/front.h"
#include "serve/http_response.h"
#include "serve/request_reader.h"
#include "serve/webhook_response.h"

enum {
	ARRIVAL_GRACE_MS = 100,  /* for requests that are on their way when the listener closes */
	SENDING_GRACE_MS = 2000, /* for the last responses */
	LOOK_EVERY_MS = 5,       /* while waiting for connections to end */
};

struct server {
	struct service *service;
	struct exchange_pool *exchanges;
	struct front front;
};

static struct exchange *take_exchange(struct server *server, struct connection *connection, struct MHD_Connection *mhd)
{
	struct exchange *exchange = connection->spare;
	connection->spare = NULL;
	if (exchange)
		exchange_reset(exchange);
	else
		exchange = exchange_take(server->exchanges);
	exchange->mhd = mhd;
	exchange->connection = connection;
	connection->exchange = exchange;
	return exchange;
}

/* The sender is still writing and libmicrohttpd will not let us respond: so it is said past it, and the connection ends.
 */
static enum MHD_Result refuse_at_once(struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	struct lineage_entry *entry = &exchange->entry;
	if (!connection_enter(connection, CONNECTION_BUSY, 0))
		return MHD_NO;
	entry->status = exchange->refusal->status;
	http_response_raw(connection->fd, service_listen(exchange->service), entry->status, exchange->refusal->detail,
	                  entry->request_id);
	webhook_response_count(exchange);
	exchange->responded = true;
	return MHD_NO;
}

static enum MHD_Result respond(struct server *server, struct connection *connection)
{
	if (!connection_enter(connection, CONNECTION_BUSY, service_listen(server->service)->body_timeout.ns))
		return MHD_NO;
	return webhook_response_send(connection->exchange);
}

static enum MHD_Result submit(struct server *server, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	int64_t deadline_ns = service_listen(server->service)->deadline.ns;
	struct event_times *times = &exchange->entry.times;
	times->start_ns = atomic_load_explicit(&server->front.table.now_ns, memory_order_relaxed);
	times->wall_ns = exchange->event->pub.received_at_ns;
	exchange->event->pub.deadline_ns = times->start_ns + deadline_ns;
	exchange->submitted = true;
	connection->overdue = false;
	if (!connection_enter(connection, CONNECTION_BUSY, deadline_ns))
		return MHD_NO;
	/* Again, now that the sweeper sees the connection BUSY: either server_stop() finds it, or it is found here. */
	if (atomic_load(&server->service->refusing)) {
		(void)exchange_time_out(exchange);
		return respond(server, connection);
	}
	return exchange_submit(exchange) ? webhook_response_send(exchange) : MHD_YES;
}

static enum MHD_Result go_on(struct server *server)
{
	front_make_room(&server->front);
	return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *mhd, const char *path, const char *method,
                              const char *version, const char *data, size_t *data_size, void **request)
{
	struct server *server = context;
	struct connection *connection = *request;
	struct exchange *exchange = connection->exchange;
	(void)path, (void)version;
	if (!exchange) {
		exchange = take_exchange(server, connection, mhd);
		if (!request_reader_begin(exchange, method))
			return respond(server, connection);
		if (!connection_enter(connection, CONNECTION_BODY, service_listen(server->service)->body_timeout.ns) ||
		    !front_invite_body(connection))
			return MHD_NO;
		return go_on(server);
	}
	if (*data_size > 0) {
		if (!request_reader_receive(exchange, data, *data_size))
			return refuse_at_once(connection);
		*data_size = 0;
		return go_on(server);
	}
	if (exchange->submitted)
		return exchange_is_complete(exchange) ? webhook_response_send(exchange) : MHD_YES;
	return request_reader_finish(exchange) ? submit(server, connection) : respond(server, connection);
}

static void finish(void *context, struct connection *connection)
{
	struct server *server = context;
	struct exchange *exchange = connection->exchange;
	if (!exchange)
		return;
	connection->exchange = NULL;
	atomic_store_explicit(&connection->held, 0, memory_order_relaxed);
	request_reader_abandon(exchange);
	if (exchange->responded) {
		exchange->entry.sent_ns = clock_now_ns();
		if (exchange->submitted)
			service_record(server->service, &exchange->entry);
		else
			service_record_refusal(server->service, &exchange->entry);
		if (exchange->submitted && exchange->entry.status / 100 == 2)
			admission_remember(&server->front.admission, connection, exchange->entry.sent_ns);
	}
	if (exchange_is_mine(exchange))
		connection->spare = exchange;
	else
		exchange_release(exchange);
}

static void abandon(void *context, struct connection *connection)
{
	(void)context;
	if (connection->exchange)
		request_reader_abandon(connection->exchange);
}

static void close_connection(void *context, struct connection *connection)
{
	(void)context;
	if (connection->spare)
		exchange_release(connection->spare);
}

static bool expire(void *context, struct connection *connection)
{
	(void)context;
	return exchange_time_out(connection->exchange);
}

static void refused(void *context, const struct refused *refused)
{
	const struct server *server = context;
	service_refuse(server->service, refused);
}

static const struct front_functions functions = {
	.handle = handle,
	.finish = finish,
	.abandon = abandon,
	.close = close_connection,
	.expire = expire,
	.refused = refused,
};

struct server *server_start(struct service *service, struct sluice_error *error)
{
	const struct listen_config *listen = service_listen(service);
	int listener = listener_open("listen", listen->address, listen->port, error);
	if (listener < 0)
		return NULL;
	struct server *server = must_calloc(1, sizeof(*server));
	server->service = service;
	server->exchanges = exchange_pool_create(service);
	server->front = (struct front){
		.functions = &functions,
		.context = server,
		.listen = listen,
		.name = "webhook",
		.generations = service->generations,
		.evicted = &service->evicted,
		.header_timeout_ns = listen->header_timeout.ns,
		.keep_alive_ns = listen->keep_alive.ns,
		.max_connections = listen->max_connections,
		.max_header = (size_t)listen->max_header,
		.threads = (unsigned)listen->threads,
		.table = {.grace_ns = SENDING_GRACE_MS * NS_PER_MS},
	};
	if (front_start(&server->front, listener, error))
		return server;
	exchange_pool_destroy(server->exchanges);
	free(server);
	return NULL;
}

void server_follow(struct server *server)
{
	const struct listen_config *listen = service_listen(server->service);
	atomic_store(&server->front.listen, listen);
	atomic_store(&server->front.header_timeout_ns, listen->header_timeout.ns);
	atomic_store(&server->front.keep_alive_ns, listen->keep_alive.ns);
}

void server_get_url(const struct server *server, char url[LISTENER_URL_SIZE])
{
	memcpy(url, server->front.url, LISTENER_URL_SIZE);
}

/* Looks again and again until it is done or the time has come. */
static bool wait_until(struct server *server, bool (*done)(struct server *server), int64_t until_ns)
{
	struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * NS_PER_MS};
	while (!done(server)) {
		if (clock_now_ns() >= until_ns)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static bool is_empty(struct server *server)
{
	return connection_table_count(&server->front.table) == 0;
}

static bool has_received_all(struct server *server)
{
	connection_table_close_idle(&server->front.table);
	return connection_table_count_in(&server->front.table, CONNECTION_HEADERS) +
	               connection_table_count_in(&server->front.table, CONNECTION_BODY) ==
	       0;
}

static bool has_responded_to_all(struct server *server)
{
	connection_table_close_idle(&server->front.table);
	return connection_table_count_in(&server->front.table, CONNECTION_BUSY) == 0;
}

static bool has_expired_all(struct server *server)
{
	connection_table_expire_all(&server->front.table);
	return has_responded_to_all(server);
}

size_t server_stop(struct server *server, int64_t until_ns)
{
	struct service *service = server->service;
	int64_t now_ns = clock_now_ns();
	acceptor_close(&server->front.acceptor); /* before responses close connections and senders open others */
	atomic_store(&service->draining, true);
	(void)wait_until(server, is_empty, now_ns + ARRIVAL_GRACE_MS * NS_PER_MS);
	(void)wait_until(server, has_received_all, now_ns + (until_ns - now_ns) / 2);
	atomic_store(&service->refusing, true);
	connection_table_close_unfinished(&server->front.table);
	size_t left = pipeline_drain(service->pipeline, until_ns);
	if (!wait_until(server, has_responded_to_all, left ? 0 : clock_now_ns() + SENDING_GRACE_MS * NS_PER_MS))
		(void)wait_until(server, has_expired_all, clock_now_ns() + SENDING_GRACE_MS * NS_PER_MS);
	front_stop(&server->front);
	return left;
}

void server_free(struct server *server)
{
	exchange_pool_destroy(server->exchanges);
	front_finish(&server->front);
	free(server);
}
