/*
 * One request over one connection, blocking, with a deadline for the whole of it; see client.h.
 */
#include "client/client.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/url.h"
#include "client/response.h"

enum { TIMEOUT_S = 10, CHANGE_TIMEOUT_S = 120 };

struct connection {
	int fd; /* -1: none */
	int timeout_s;
	int64_t deadline_ns;
	SSL_CTX *context; /* NULL: plain HTTP */
	SSL *tls;
};

/* Whatever blocks next blocks no longer than until the deadline. */
static bool limit_wait(struct connection *connection, struct sluice_error *error)
{
	int64_t left_ns = connection->deadline_ns - clock_now_ns();
	if (left_ns <= NS_PER_US)
		return sluice_error_set(error, "timed out after %d s", connection->timeout_s);
	struct timeval left = {.tv_sec = left_ns / NS_PER_S, .tv_usec = left_ns % NS_PER_S / NS_PER_US};
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof(left));
	return true;
}

static bool explain_errno(const struct connection *connection, struct sluice_error *error)
{
	if (errno == EAGAIN || errno == EINPROGRESS)
		return sluice_error_set(error, "timed out after %d s", connection->timeout_s);
	return sluice_error_set(error, "%s", strerror(errno));
}

static bool explain_tls(const struct connection *connection, struct sluice_error *error)
{
	char text[256];
	long untrusted = SSL_get_verify_result(connection->tls);
	unsigned long cause = ERR_peek_last_error();
	if (untrusted != X509_V_OK)
		return sluice_error_set(error, "TLS: %s", X509_verify_cert_error_string(untrusted));
	if (cause == 0)
		return explain_errno(connection, error);
	ERR_error_string_n(cause, text, sizeof(text));
	return sluice_error_set(error, "TLS: %s", text);
}

/* "localhost" has two addresses, and servers often listen on one. */
static bool connect_to(struct connection *connection, const char *host, const char *port, struct sluice_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *addresses = NULL;
	int failure = getaddrinfo(host, port, &hints, &addresses);
	if (failure)
		return sluice_error_set(error, "%s: %s", host, gai_strerror(failure));
	struct sluice_error cause = {0};
	bool connected = false;
	for (struct addrinfo *each = addresses; each && !connected; each = each->ai_next) {
		cause.text[0] = '\0';
		connection->fd = socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connection->fd >= 0 && !limit_wait(connection, &cause))
			break;
		connected = connection->fd >= 0 && connect(connection->fd, each->ai_addr, each->ai_addrlen) == 0;
		if (connected)
			break;
		(void)explain_errno(connection, &cause);
		if (connection->fd >= 0)
			(void)close(connection->fd);
		connection->fd = -1;
	}
	freeaddrinfo(addresses);
	return connected || sluice_error_set(error, "%s", cause.text);
}

static bool start_tls(struct connection *connection, const char *host, struct sluice_error *error)
{
	ERR_clear_error();
	connection->context = SSL_CTX_new(TLS_client_method());
	if (connection->context)
		connection->tls = SSL_new(connection->context);
	if (!connection->tls)
		return sluice_error_set(error, "TLS is not available");
	SSL_set_verify(connection->tls, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_default_verify_paths(connection->context);
	bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection->tls), host) == 1;
	if (!is_address &&
	    (SSL_set1_host(connection->tls, host) != 1 || SSL_set_tlsext_host_name(connection->tls, host) != 1))
		return explain_tls(connection, error);
	ERR_clear_error();
	return (SSL_set_fd(connection->tls, connection->fd) == 1 && SSL_connect(connection->tls) == 1) ||
	       explain_tls(connection, error);
}

static bool send_all(struct connection *connection, const struct buffer *request, struct sluice_error *error)
{
	if (connection->tls)
		return SSL_write(connection->tls, request->data, (int)request->size) > 0 ||
		       explain_tls(connection, error);
	for (size_t at = 0; at < request->size;) {
		ssize_t sent = send(connection->fd, request->data + at, request->size - at, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return explain_errno(connection, error);
		at += sent > 0 ? (size_t)sent : 0;
	}
	return true;
}

/* Bytes; 0 at the end of the connection; -1 and the cause. */
static ssize_t receive(struct connection *connection, char *data, size_t room, struct sluice_error *error)
{
	if (!limit_wait(connection, error))
		return -1;
	if (connection->tls) {
		int got = SSL_read(connection->tls, data, (int)room);
		if (got > 0 || SSL_get_error(connection->tls, got) == SSL_ERROR_ZERO_RETURN)
			return got > 0 ? got : 0;
		(void)explain_tls(connection, error);
		return -1;
	}
	ssize_t got;
	do
		got = recv(connection->fd, data, room, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		(void)explain_errno(connection, error);
	return got;
}

static bool read_response(struct connection *connection, struct http_response *response, struct sluice_error *error)
{
	char piece[16384];
	http_response_begin(response);
	while (response->state < RESPONSE_DONE) {
		ssize_t got = receive(connection, piece, sizeof(piece), error);
		if (got < 0)
			return false;
		if (got == 0)
			http_response_end(response);
		else
			(void)http_response_take(response, piece, (size_t)got);
	}
	return response->state == RESPONSE_DONE || sluice_error_set(error, "the response is not complete HTTP/1.1");
}

/* What is asked. */
struct question {
	const char *method, *path, *accept;
	int timeout_s;
};

static void write_request(struct buffer *out, const struct url *url, const struct question *question)
{
	const char *token = getenv("SLUICE_ADMIN_TOKEN");
	buffer_printf(out, "%s %s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", question->method, url->path,
	              question->path, url->authority);
	if (strcmp(question->method, "POST") == 0)
		buffer_add_text(out, "Content-Length: 0\r\n");
	if (token)
		buffer_printf(out, "Authorization: Bearer %s\r\n", token);
	buffer_printf(out, "Accept: %s\r\n\r\n", question->accept ? question->accept : "*/*");
}

/* "[::1]:80" is ::1 and 80. */
static void split_authority(const struct url *url, struct arena *arena, const char **host, const char **port)
{
	const char *text = url->authority;
	size_t brackets = text[0] == '[' ? 1 : 0, size = strcspn(text, brackets ? "]" : ":");
	*host = arena_strndup(arena, text + brackets, size - brackets);
	const char *rest = text + size + brackets;
	*port = rest[0] == ':' ? rest + 1 : strcmp(url->scheme, "https") == 0 ? "443" : "80";
}

static bool exchange(const struct url *url, struct arena *arena, const struct question *question,
                     struct http_response *response, struct sluice_error *error)
{
	struct connection connection = {.fd = -1,
	                                .timeout_s = question->timeout_s,
	                                .deadline_ns = clock_now_ns() + question->timeout_s * NS_PER_S};
	struct buffer request = {0};
	write_request(&request, url, question);
	const char *host, *port;
	split_authority(url, arena, &host, &port);
	bool ok = connect_to(&connection, host, port, error) &&
	          (strcmp(url->scheme, "http") == 0 || start_tls(&connection, host, error)) &&
	          send_all(&connection, &request, error) && read_response(&connection, response, error);
	SSL_free(connection.tls);
	SSL_CTX_free(connection.context);
	if (connection.fd >= 0)
		(void)close(connection.fd);
	buffer_finish(&request);
	return ok;
}

static bool ask(const char *admin, const struct question *question, struct buffer *out, long *status_out,
                struct sluice_error *error)
{
	struct arena arena;
	struct http_response response = {.body = out};
	struct sluice_error cause = {0};
	struct url url;
	const char *base = admin ? admin : CLIENT_ADMIN_DEFAULT;
	arena_init(&arena, 512, NULL);
	bool ok = url_parse(arena_printf(&arena, "%s%s", strstr(base, "://") ? "" : "http://", base), &arena, &url,
	                    &cause);
	if (!ok) {
		(void)sluice_error_set(error, "--admin: %s", cause.text);
	} else {
		ok = exchange(&url, &arena, question, &response, &cause);
		if (!ok)
			(void)sluice_error_set(
				error, "%s://%s%s%s: no response: %s; is the server running, and --admin right?",
				url.scheme, url.authority, url.path, question->path, cause.text);
	}
	*status_out = response.status;
	arena_finish(&arena);
	return ok;
}

bool client_get(const char *admin, const char *path, const char *accept, struct buffer *out, long *status_out,
                struct sluice_error *error)
{
	const struct question question = {"GET", path, accept, TIMEOUT_S};
	return ask(admin, &question, out, status_out, error);
}

bool client_post(const char *admin, const char *path, struct buffer *out, long *status_out, struct sluice_error *error)
{
	const struct question question = {"POST", path, NULL, CHANGE_TIMEOUT_S};
	return ask(admin, &question, out, status_out, error);
}

char *client_escape(const char *text)
{
	struct buffer out = {0};
	for (const char *at = text; *at; at++) {
		bool is_plain = isalnum((unsigned char)*at) || strchr("-._~", *at);
		if (is_plain)
			buffer_add(&out, at, 1);
		else
			buffer_printf(&out, "%%%02X", (unsigned char)*at);
	}
	return buffer_take(&out);
}

void client_explain(const struct buffer *body, long status, struct sluice_error *error)
{
	json_t *problem = body->data ? json_loadb(body->data, body->size, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	(void)sluice_error_set(error, "the server answers %ld: %s", status, detail ? detail : "(no reason given)");
	json_decref(problem);
}
