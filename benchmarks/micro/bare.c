/*
 * bench-bare [later]: the smallest libmicrohttpd program that answers a webhook as Sluice does, and does nothing with it.
 * What Sluice's own cost is held against. Serves from one thread, prints `ready http://127.0.0.1:PORT`, and ends when its
 * standard input does. With `later` a second thread answers whatever waits, as whoever stores first must,
 * with one wake-up for all of it as Sluice does.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/deferred.h"
#include "serve/wakeup.h"

enum { WAITING_MAX = 4096 };

/* Connections that are suspended. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct MHD_Connection *connections[WAITING_MAX];
	size_t count;
	bool over;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static void wait_for_answer(struct MHD_Connection *connection)
{
	MHD_suspend_connection(connection);
	(void)pthread_mutex_lock(&waiting.lock);
	waiting.connections[waiting.count++] = connection;
	(void)pthread_mutex_unlock(&waiting.lock);
	(void)pthread_cond_signal(&waiting.some);
}

/* Takes whatever waits. */
static size_t take(struct MHD_Connection **taken)
{
	(void)pthread_mutex_lock(&waiting.lock);
	while (waiting.count == 0 && !waiting.over)
		(void)pthread_cond_wait(&waiting.some, &waiting.lock);
	size_t count = waiting.count;
	memcpy(taken, waiting.connections, count * sizeof(*taken));
	waiting.count = 0;
	(void)pthread_mutex_unlock(&waiting.lock);
	return count;
}

static void *answer(void *context)
{
	static struct MHD_Connection *taken[WAITING_MAX];
	size_t count;
	while ((count = take(taken)) > 0) {
		deferred_begin();
		for (size_t i = 0; i < count; i++)
			wakeup_resume(taken[i]);
		deferred_end();
	}
	return context;
}

static void end_waiting(void)
{
	(void)pthread_mutex_lock(&waiting.lock);
	waiting.over = true;
	(void)pthread_mutex_unlock(&waiting.lock);
	(void)pthread_cond_signal(&waiting.some);
}

static enum MHD_Result handle(void *later, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **request)
{
	(void)url, (void)method, (void)version, (void)data;
	static int begun, answerable;
	if (!*request) {
		*request = &begun;
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	if (later && *request == &begun) {
		*request = &answerable;
		wait_for_answer(connection);
		return MHD_YES;
	}
	static char body[] =
		"{\"status\":\"accepted\",\"request_id\":\"018bcfe5-6800-7000-8000-000000000000\",\"message_id\":\"bench-000000\",\"ack\":\"stored\"}";
	struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	(void)MHD_add_response_header(response, "X-Request-Id", "018bcfe5-6800-7000-8000-000000000000");
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_ACCEPTED, response);
	MHD_destroy_response(response);
	return result;
}

int main(int argc, char **argv)
{
	bool later = argc > 1 && strcmp(argv[1], "later") == 0;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | (later ? MHD_ALLOW_SUSPEND_RESUME : 0);
	pthread_t thread;
	if (later && pthread_create(&thread, NULL, answer, NULL) != 0) {
		(void)fputs("bench-bare: cannot start a thread\n", stderr);
		return 2;
	}
	struct sockaddr_in address = {.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, later ? &waiting : NULL,
	                                             MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
	                                             MHD_OPTION_CONNECTION_TIMEOUT, 65u, MHD_OPTION_END);
	if (!daemon) {
		(void)fputs("bench-bare: cannot listen\n", stderr);
		return 2;
	}
	(void)printf("ready http://127.0.0.1:%u\n",
	             (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	(void)fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	if (later) {
		end_waiting();
		(void)pthread_join(thread, NULL);
	}
	MHD_stop_daemon(daemon);
	return 0;
}
