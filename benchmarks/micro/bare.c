/*
 * bench-bare: the smallest libmicrohttpd program that answers a webhook as Sluice does, and does nothing with it. What
 * Sluice's own cost is held against. Serves from one thread, prints `ready http://127.0.0.1:PORT`, and ends when its
 * standard input does.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **request)
{
	(void)context, (void)url, (void)method, (void)version, (void)data;
	static int seen;
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
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

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle,
	                                             NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
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
	MHD_stop_daemon(daemon);
	return 0;
}
