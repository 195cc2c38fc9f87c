/*
 * The webhook listener; see server.h.
 *
 * libmicrohttpd parses and sends, on its own threads, and calls the functions below. It neither listens nor times
 * anything: that is the acceptor's.
 */
#include "serve/server.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/acceptor.h"
#include "serve/admission.h"
#include "serve/exchange.h"
#include "serve/http_response.h"
#include "serve/request_reader.h"
#include "serve/webhook_response.h"

enum {
	ARRIVAL_GRACE_MS = 100,  /* for requests that are on their way when the listener closes */
	SENDING_GRACE_MS = 2000, /* for the last responses */
	LOOK_EVERY_MS = 5,       /* while waiting for connections to end */
	LINGER_MS = 1000,        /* for the response that ends a connection to be read */
};

struct server {
	struct service *service;
	const struct listen_config *listen;
	struct MHD_Daemon *daemon;
	struct exchange_pool *exchanges;
	struct connection_table connection_table;
	struct acceptor acceptor;
	struct admission admission;
	atomic_bool relieving; /* the acceptor has been told that unfinished bodies hold too much */
	char url[LISTENER_URL_SIZE];
};

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* What has come is no HTTP, or could be read in two ways. */
static void refuse_framing(void *context, const struct framing_fault *fault)
{
	struct connection *connection = context;
	struct server *server = connection->table->context;
	char id[UUID_TEXT_SIZE];
	if (!connection_enter(connection, CONNECTION_IDLE, LINGER_MS * NS_PER_MS))
		return;
	connection->served = true;
	if (connection->exchange)
		request_reader_abandon(connection->exchange);
	digest_uuid7(clock_wall_ns(), id);
	service_count(server->service, fault->status);
	http_response_raw(connection->fd, server->listen, fault->status, fault->detail, id);
}

static void notify_connection(void *context, struct MHD_Connection *mhd, void **place,
                              enum MHD_ConnectionNotificationCode code)
{
	struct server *server = context;
	struct connection *connection = *place;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		connection = connection_open(&server->connection_table, fd, server->listen->header_timeout.ns);
		(void)ip_address_from_socket(
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
			&connection->peer);
		admission_recognize(&server->admission, connection);
		connection->intercept = (struct intercept){.refuse = refuse_framing, .context = connection};
		(void)intercept_begin(&connection->intercept, fd);
		*place = connection;
		return;
	}
	intercept_end(connection->fd);
	if (connection->spare)
		exchange_release(connection->spare);
	connection_close(connection);
	admission_give_back(&server->admission);
}
/* The request line is there, its target still as sent. What it returns is the request's context in all further calls. */
static void *begin_request(void *context, const char *target, struct MHD_Connection *mhd)
{
	const struct server *server = context;
	struct connection *connection = connection_of(mhd);
	buffer_empty(&connection->target);
	buffer_add_text(&connection->target, target);
	(void)connection_enter(connection, CONNECTION_HEADERS, server->listen->header_timeout.ns);
	return connection;
}

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
	http_response_raw(connection->fd, &exchange->service->config->listen, entry->status, exchange->refusal->detail,
	                  entry->request_id);
	service_count(exchange->service, entry->status);
	exchange->responded = true;
	return MHD_NO;
}

static enum MHD_Result respond(struct server *server, struct connection *connection)
{
	if (!connection_enter(connection, CONNECTION_BUSY, server->listen->body_timeout.ns))
		return MHD_NO;
	return webhook_response_send(connection->exchange);
}

static enum MHD_Result submit(struct server *server, struct connection *connection)
{
	struct exchange *exchange = connection->exchange;
	int64_t deadline_ns = server->listen->deadline.ns;
	struct event_times *times = &exchange->entry.times;
	times->start_ns = atomic_load_explicit(&server->connection_table.now_ns, memory_order_relaxed);
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

/* Whatever others are receiving, there should be room for a body. */
static enum MHD_Result go_on(struct server *server)
{
	if (admission_is_crowded(&server->admission) && !atomic_exchange(&server->relieving, true))
		acceptor_wake(&server->acceptor);
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
		return connection_enter(connection, CONNECTION_BODY, server->listen->body_timeout.ns) ? go_on(server)
		                                                                                      : MHD_NO;
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

static void end_request(void *context, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code)
{
	struct server *server = context;
	struct connection *connection = *request;
	struct exchange *exchange = connection->exchange;
	(void)mhd, (void)code;
	connection->served = true;
	(void)connection_enter(connection, CONNECTION_IDLE, server->listen->keep_alive.ns);
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
		if (exchange->entry.status / 100 == 2 && exchange->submitted)
			admission_remember(&server->admission, connection, exchange->entry.sent_ns);
	}
	if (exchange_is_mine(exchange))
		connection->spare = exchange;
	else
		exchange_release(exchange);
}

static bool expire(void *context, struct connection *connection)
{
	(void)context;
	return exchange_time_out(connection->exchange);
}

/* Whether a sender has begun its first request: on an untouched connection nobody asked for a response. */
static bool has_received(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_bytes_received > 0;
}

static void dismiss(void *context, struct connection *connection, bool begun, enum dismissal why)
{
	static const struct {
		int status;
		const char *detail;
	} responses[] = {
		[DISMISSED_LATE] = {MHD_HTTP_REQUEST_TIMEOUT, "the request timed out"},
		[DISMISSED_FOR_OTHERS] = {MHD_HTTP_SERVICE_UNAVAILABLE,
	                                  "others needed the place of this slow request: try again later"},
	};
	struct server *server = context;
	char id[UUID_TEXT_SIZE];
	if (!begun && !has_received(connection->fd))
		return;
	digest_uuid7(clock_wall_ns(), id);
	http_response_raw(connection->fd, server->listen, responses[why].status, responses[why].detail, id);
	service_count(server->service, responses[why].status);
}

static bool has_room(void *context)
{
	struct server *server = context;
	return admission_has_room(&server->admission);
}

static void reject(void *context, int fd)
{
	struct server *server = context;
	char id[UUID_TEXT_SIZE], ignored[4096];
	digest_uuid7(clock_wall_ns(), id);
	/* Bytes that nobody has read would turn the close into a reset, which can overtake the response. */
	(void)!recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
	http_response_raw(fd, server->listen, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections: try again later",
	                  id);
	(void)close(fd);
	service_count(server->service, MHD_HTTP_SERVICE_UNAVAILABLE);
}

static void admit(void *context, int fd, const struct sockaddr *address, socklen_t address_size)
{
	struct server *server = context;
	struct ip_address peer = {{0}};
	(void)ip_address_from_socket(address, &peer);
	if (!admission_take(&server->admission, &peer))
		reject(server, fd);
	else if (MHD_add_connection(server->daemon, fd, address, address_size) != MHD_YES)
		admission_give_back(&server->admission);
}

static void relieve(void *context)
{
	struct server *server = context;
	atomic_store(&server->relieving, false);
	admission_relieve(&server->admission);
}

static void tick(void *context, int64_t now_ns)
{
	struct server *server = context;
	connection_table_sweep(&server->connection_table, now_ns);
	relieve(server);
	admission_log(&server->admission, now_ns);
}

static void log_complaint(void *context, const char *format, va_list arguments)
{
	char text[256];
	(void)context;
	(void)vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_event(SLUICE_LOG_DEBUG, "http", "http_complaint", sluice_text("text", text));
}

static struct MHD_Daemon *start_daemon(struct server *server)
{
	enum { HEAD_OVERHEAD = 6 * 1024 + RESPONSE_HEADER_BYTES_MAX };
	unsigned threads = (unsigned)server->listen->threads;
	/* Zeroed by libmicrohttpd for every request, so no more than what the fields, their entries and our head need.
	 */
	size_t memory = (size_t)server->listen->max_header + HEAD_OVERHEAD;
	const struct MHD_OptionItem options[] = {
		{MHD_OPTION_CONNECTION_LIMIT,
	         (intptr_t)(server->admission.limit + server->admission.turnover + threads), NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)memory, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)notify_connection, server},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)end_request, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)begin_request, server},
		{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
	                 MHD_USE_ERROR_LOG;
	return MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_complaint, NULL,
	                        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

struct server *server_start(struct service *service, struct sluice_error *error)
{
	struct server *server = must_calloc(1, sizeof(*server));
	server->service = service;
	server->listen = &service->config->listen;
	server->admission.table = &server->connection_table;
	server->admission.service = service;
	if (!admission_init(&server->admission, server->listen->max_connections, error)) {
		free(server);
		return NULL;
	}
	server->exchanges = exchange_pool_create(service);
	server->connection_table.context = server;
	server->connection_table.expire = expire;
	server->connection_table.dismiss = dismiss;
	server->connection_table.grace_ns = SENDING_GRACE_MS * NS_PER_MS;
	connection_table_init(&server->connection_table);
	server->acceptor = (struct acceptor){
		.listener = listener_open(server->listen->address, server->listen->port, error),
		.tick_ms = SWEEP_EVERY_MS,
		.has_room = has_room,
		.admit = admit,
		.reject = reject,
		.tick = tick,
		.woken = relieve,
		.context = server,
	};
	if (server->acceptor.listener < 0)
		goto free_server;
	listener_get_url(server->acceptor.listener, server->url);
	server->daemon = start_daemon(server);
	if (!server->daemon) {
		(void)sluice_error_set(error, "cannot start the HTTP threads");
		goto close_listener;
	}
	if (acceptor_start(&server->acceptor, error))
		return server;
	MHD_stop_daemon(server->daemon);
close_listener:
	(void)close(server->acceptor.listener);
free_server:
	server_free(server);
	return NULL;
}

void server_get_url(const struct server *server, char url[LISTENER_URL_SIZE])
{
	memcpy(url, server->url, LISTENER_URL_SIZE);
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
	return connection_table_count(&server->connection_table) == 0;
}

static bool has_received_all(struct server *server)
{
	connection_table_close_idle(&server->connection_table);
	return connection_table_count_in(&server->connection_table, CONNECTION_HEADERS) +
	               connection_table_count_in(&server->connection_table, CONNECTION_BODY) ==
	       0;
}

static bool has_responded_to_all(struct server *server)
{
	connection_table_close_idle(&server->connection_table);
	return connection_table_count_in(&server->connection_table, CONNECTION_BUSY) == 0;
}

static bool has_expired_all(struct server *server)
{
	connection_table_expire_all(&server->connection_table);
	return has_responded_to_all(server);
}

size_t server_stop(struct server *server, int64_t until_ns)
{
	struct service *service = server->service;
	int64_t now_ns = clock_now_ns();
	atomic_store(&service->draining, true);
	acceptor_close(&server->acceptor);
	(void)wait_until(server, is_empty, now_ns + ARRIVAL_GRACE_MS * NS_PER_MS);
	(void)wait_until(server, has_received_all, now_ns + (until_ns - now_ns) / 2);
	atomic_store(&service->refusing, true);
	connection_table_close_unfinished(&server->connection_table);
	size_t left = pipeline_drain(service->pipeline, until_ns);
	if (!wait_until(server, has_responded_to_all, left ? 0 : clock_now_ns() + SENDING_GRACE_MS * NS_PER_MS))
		(void)wait_until(server, has_expired_all, clock_now_ns() + SENDING_GRACE_MS * NS_PER_MS);
	acceptor_stop(&server->acceptor);
	/* A connection whose response came at the very last is resumed by now: libmicrohttpd lets it go by itself. */
	MHD_stop_daemon(server->daemon);
	return left;
}

void server_free(struct server *server)
{
	exchange_pool_destroy(server->exchanges);
	connection_table_finish(&server->connection_table);
	admission_finish(&server->admission);
	free(server);
}
