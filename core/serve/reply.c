/*
 * Answers; see reply.h.
 */
#include "serve/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/json_writer.h"

void reply_header(struct reply *reply, const char *name, const char *value)
{
	if (!value || reply->header_count == REPLY_HEADERS_MAX)
		return;
	reply->headers[reply->header_count].name = name;
	reply->headers[reply->header_count].value = value;
	reply->header_count++;
}

static const char *next_string(const char *text)
{
	return text + strlen(text) + 1;
}

bool reply_has_more(const struct reply *reply, const char *name)
{
	if (!reply->more || !reply->more->data)
		return false;
	const char *end = reply->more->data + reply->more->size;
	for (const char *at = reply->more->data; at < end; at = next_string(next_string(at)))
		if (strcasecmp(at, name) == 0)
			return true;
	return false;
}

static void add_more(struct MHD_Response *response, const struct buffer *more)
{
	if (!more->data)
		return;
	const char *end = more->data + more->size;
	for (const char *at = more->data; at < end; at = next_string(next_string(at)))
		(void)MHD_add_response_header(response, at, next_string(at));
}

const char *reply_retry_after(const struct listen_config *listen, int64_t asked_ns, char text[REPLY_SECONDS_SIZE])
{
	int64_t ns = asked_ns > listen->retry_after.ns ? asked_ns : listen->retry_after.ns;
	int64_t seconds = (ns + NS_PER_S - 1) / NS_PER_S;
	(void)snprintf(text, REPLY_SECONDS_SIZE, "%" PRId64, seconds > 0 ? seconds : 1);
	return text;
}

void *reply_gzip(const void *data, size_t size, int level, size_t *size_out)
{
	enum { GZIP = 16 };
	z_stream stream = {0};
	if (size > UINT32_MAX / 2 ||
	    deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	uLong room = deflateBound(&stream, (uLong)size);
	unsigned char *out = malloc(room);
	stream.next_in = (Bytef *)(uintptr_t)data;
	stream.avail_in = (uInt)size;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	if (out && deflate(&stream, Z_FINISH) != Z_STREAM_END) {
		free(out);
		out = NULL;
	}
	*size_out = (size_t)stream.total_out;
	(void)deflateEnd(&stream);
	return out;
}

/* The weight of the coding, in thousandths; -1 if it is not named. */
static int weight_of(const char *list, const char *coding)
{
	size_t length = strlen(coding);
	while (*list) {
		list += strspn(list, " \t,");
		size_t element = strcspn(list, ",");
		size_t name = strcspn(list, " \t,;");
		if (name == length && strncasecmp(list, coding, length) == 0) {
			const char *q = memmem(list, element, "q=", 2);
			return q ? (int)(strtod(q + 2, NULL) * 1000) : 1000;
		}
		list += element;
	}
	return -1;
}

bool reply_accepts_gzip(const char *accept_encoding)
{
	if (!accept_encoding)
		return false;
	int gzip = weight_of(accept_encoding, "gzip");
	return gzip >= 0 ? gzip > 0 : weight_of(accept_encoding, "*") > 0;
}

static struct MHD_Response *compressed(struct MHD_Connection *connection, const struct reply *reply,
                                       const struct listen_config *listen)
{
	if (!listen->compression || reply->body->size < listen->compression_threshold ||
	    reply_has_more(reply, MHD_HTTP_HEADER_CONTENT_ENCODING))
		return NULL;
	const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                                   MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (!reply_accepts_gzip(accepted))
		return NULL;
	size_t size = 0;
	void *data = reply_gzip(reply->body->data, reply->body->size, (int)listen->compression_level, &size);
	if (!data)
		return NULL;
	struct MHD_Response *response = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	else
		free(data);
	return response;
}

enum MHD_Result reply_queue(struct MHD_Connection *connection, const struct reply *reply,
                            const struct listen_config *listen)
{
	struct MHD_Response *response = compressed(connection, reply, listen);
	if (!response)
		response = MHD_create_response_from_buffer(reply->body->size, reply->body->data,
		                                           MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	if (listen->compression)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (reply->content_type)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	if (reply->more)
		add_more(response, reply->more);
	for (size_t i = 0; i < reply->header_count; i++)
		(void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

void reply_write_problem(struct buffer *out, int status, const char *detail, const char *request_id)
{
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "type", "about:blank");
	jsonw_text(&json, "title", MHD_get_reason_phrase_for((unsigned)status));
	jsonw_int(&json, "status", status);
	if (detail[0])
		jsonw_text(&json, "detail", detail);
	jsonw_text(&json, "request_id", request_id);
	jsonw_end_object(&json);
}

void reply_raw(int fd, const struct listen_config *listen, int status, const char *detail, const char *request_id)
{
	struct buffer body = {0}, message = {0};
	char seconds[REPLY_SECONDS_SIZE];
	reply_write_problem(&body, status, detail, request_id);
	buffer_printf(&message,
	              "HTTP/1.1 %d %s\r\nContent-Type: " REPLY_PROBLEM
	              "\r\nContent-Length: %zu\r\nConnection: close\r\nX-Request-Id: %s\r\n",
	              status, MHD_get_reason_phrase_for((unsigned)status), body.size, request_id);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		buffer_printf(&message, "Retry-After: %s\r\n", reply_retry_after(listen, 0, seconds));
	buffer_printf(&message, "\r\n%s", body.data);
	(void)!send(fd, message.data, message.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	buffer_finish(&message);
	buffer_finish(&body);
}
