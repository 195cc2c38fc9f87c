/*
 * The front of a listener; see front.h.
 */
#include "serve/front.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "runtime/response.h"
#include "serve/http_response.h"
#include "serve/wakeup.h"

enum { LINGER_MS = 1000 }; /* for the response that ends a connection to be read */

/* On a socket that libmicrohttpd will write nothing to any more. */
static void say(struct front *front, int fd, struct refused *refused)
{
	char id[UUID_TEXT_SIZE];
	digest_uuid7(clock_wall_ns(), id);
	refused->request_id = id;
	if (front->functions->refused)
		front->functions->refused(front->context, refused);
	http_response_raw(fd, atomic_load(&front->listen), refused->status, refused->detail, id);
}

/* What has come is no HTTP, or could be read in two ways. */
static void refuse_framing(void *context, const struct framing_fault *fault)
{
	struct connection *connection = context;
	struct front *front = connection->table->context;
	if (!connection_enter(connection, CONNECTION_IDLE, LINGER_MS * NS_PER_MS))
		return;
	connection->served = true;
	if (front->functions->abandon)
		front->functions->abandon(front->context, connection);
	say(front, connection->fd,
	    &(struct refused){.reason = REFUSAL_MALFORMED,
	                      .status = fault->status,
	                      .detail = fault->detail,
	                      .client = &connection->peer});
}

static struct connection *open_connection(struct front *front, struct MHD_Connection *mhd)
{
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct ip_address peer = {{0}};
	(void)ip_address_from_socket(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
	                             &peer);
	struct connection *connection = connection_open(&front->table, fd, &peer,
	                                                atomic_load(&front->header_timeout_ns));
	admission_recognize(&front->admission, connection);
	connection->intercept = (struct intercept){.refuse = refuse_framing, .context = connection};
	(void)intercept_begin(&connection->intercept, fd);
	return connection;
}

static void notify_connection(void *context, struct MHD_Connection *mhd, void **place,
                              enum MHD_ConnectionNotificationCode code)
{
	struct front *front = context;
	struct connection *connection = *place;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*place = open_connection(front, mhd);
		return;
	}
	intercept_end(connection->fd);
	if (front->functions->close)
		front->functions->close(front->context, connection);
	connection_close(connection);
	admission_give_back(&front->admission);
}

/* The request line is there, its target still as sent. What it returns is the request's context in all further calls. */
static void *begin_request(void *context, const char *target, struct MHD_Connection *mhd)
{
	const struct front *front = context;
	struct connection *connection =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	buffer_empty(&connection->target);
	buffer_add_text(&connection->target, target);
	(void)connection_enter(connection, CONNECTION_HEADERS, atomic_load(&front->header_timeout_ns));
	return connection;
}

static void end_request(void *context, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code)
{
	struct front *front = context;
	struct connection *connection = *request;
	(void)mhd, (void)code;
	connection->served = true;
	(void)connection_enter(connection, CONNECTION_IDLE, atomic_load(&front->keep_alive_ns));
	front->functions->finish(front->context, connection);
	intercept_served(&connection->intercept, connection->fd);
}

static bool expire(void *context, struct connection *connection)
{
	const struct front *front = context;
	return front->functions->expire && front->functions->expire(front->context, connection);
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
	static const struct refused refusals[] = {
		[DISMISSED_LATE] = {REFUSAL_LATE, MHD_HTTP_REQUEST_TIMEOUT, .detail = "the request timed out"},
		[DISMISSED_FOR_OTHERS] = {REFUSAL_EVICTED, MHD_HTTP_SERVICE_UNAVAILABLE,
	                                  .detail = "others needed the place of this slow request: try again later"},
	};
	if (!begun && !has_received(connection->fd))
		return;
	struct refused refused = refusals[why];
	refused.client = &connection->peer;
	say(context, connection->fd, &refused);
}

static bool has_room(void *context)
{
	struct front *front = context;
	return admission_has_room(&front->admission);
}

/* `peer` NULL: not known. */
static void turn_down(struct front *front, int fd, const struct ip_address *peer)
{
	char ignored[4096];
	/* Bytes that nobody has read would turn the close into a reset, which can overtake the response. */
	(void)!recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
	say(front, fd,
	    &(struct refused){.reason = REFUSAL_CONNECTIONS,
	                      .status = MHD_HTTP_SERVICE_UNAVAILABLE,
	                      .detail = "too many connections: try again later",
	                      .client = peer});
	(void)close(fd);
}

static void reject(void *context, int fd)
{
	turn_down(context, fd, NULL);
}

static void admit(void *context, int fd, const struct sockaddr *address, socklen_t address_size)
{
	struct front *front = context;
	struct ip_address peer = {{0}};
	(void)ip_address_from_socket(address, &peer);
	if (!admission_take(&front->admission, &peer))
		turn_down(front, fd, &peer);
	else if (MHD_add_connection(front->daemon, fd, address, address_size) != MHD_YES)
		admission_give_back(&front->admission);
}

static void relieve(void *context)
{
	struct front *front = context;
	atomic_store(&front->relieving, false);
	admission_relieve(&front->admission);
}

void front_make_room(struct front *front)
{
	if (admission_is_crowded(&front->admission) && !atomic_exchange(&front->relieving, true))
		acceptor_wake(&front->acceptor);
}

bool front_invite_body(struct connection *connection)
{
	static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const ssize_t size = sizeof(invitation) - 1;
	if (!intercept_awaits_continue(&connection->intercept))
		return true;
	/* Without room for it the sender goes on by itself after a while. */
	ssize_t sent = send(connection->fd, invitation, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent <= 0 || sent == size;
}

static void tick(void *context, int64_t now_ns)
{
	struct front *front = context;
	connection_table_sweep(&front->table, now_ns);
	relieve(front);
	admission_log(&front->admission, front->name, now_ns);
}

static void log_complaint(void *context, const char *format, va_list arguments)
{
	char text[256];
	(void)context;
	(void)vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_event(SLUICE_LOG_DEBUG, "http", "http_complaint", sluice_text("text", text));
}

static struct MHD_Daemon *start_daemon(struct front *front)
{
	enum { HEAD_OVERHEAD = 6 * 1024 + RESPONSE_HEADER_BYTES_MAX };
	const struct MHD_OptionItem options[] = {
		/* Never reached: libmicrohttpd shares it out among its threads, and closes without a word what is above the
		 * share of one of them. */
		{MHD_OPTION_CONNECTION_LIMIT,
	         (intptr_t)((front->admission.limit + front->admission.turnover + 1) * front->threads), NULL},
		/* Zeroed by libmicrohttpd for every request, so no more than what the fields, their entries and our head
	         * need. */
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)(front->max_header + HEAD_OVERHEAD), NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)notify_connection, front},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)end_request, front},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)begin_request, front},
		{front->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, front->threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
	                 MHD_USE_ERROR_LOG;
	return MHD_start_daemon(flags, 0, NULL, NULL, front->functions->handle, front->context,
	                        MHD_OPTION_EXTERNAL_LOGGER, log_complaint, NULL, MHD_OPTION_ARRAY, options,
	                        MHD_OPTION_END);
}

bool front_start(struct front *front, int listener, struct sluice_error *error)
{
	front->table.context = front;
	front->table.expire = expire;
	front->table.dismiss = dismiss;
	front->admission.table = &front->table;
	front->admission.generations = front->generations;
	front->admission.evicted = front->evicted;
	front->acceptor = (struct acceptor){
		.listener = listener,
		.tick_ms = SWEEP_EVERY_MS,
		.has_room = has_room,
		.admit = admit,
		.reject = reject,
		.tick = tick,
		.woken = relieve,
		.context = front,
	};
	listener_get_url(listener, front->url);
	connection_table_init(&front->table);
	if (!admission_init(&front->admission, front->max_connections, error))
		goto finish_table;
	front->daemon = start_daemon(front);
	if (!front->daemon) {
		(void)sluice_error_set(error, "cannot start the HTTP threads");
		goto finish_admission;
	}
	if (acceptor_start(&front->acceptor, error))
		return true;
	MHD_stop_daemon(front->daemon);
finish_admission:
	admission_finish(&front->admission);
finish_table:
	connection_table_finish(&front->table);
	(void)close(listener);
	return false;
}

void front_stop(struct front *front)
{
	acceptor_stop(&front->acceptor);
	/* A connection whose response came at the very last is resumed by now: libmicrohttpd lets it go by itself. */
	wakeup_wait();
	MHD_stop_daemon(front->daemon);
}

void front_finish(struct front *front)
{
	admission_finish(&front->admission);
	connection_table_finish(&front->table);
}
