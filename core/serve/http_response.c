/*
 * HTTP responses; see http_response.h.
 */
#include "serve/http_response.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/json_writer.h"

void http_response_header(struct http_response *response, const char *name, const char *value)
{
	if (!value || response->header_count == HTTP_RESPONSE_HEADERS_MAX)
		return;
	response->headers[response->header_count].name = name;
	response->headers[response->header_count].value = value;
	response->header_count++;
}

static const char *next_string(const char *text)
{
	return text + strlen(text) + 1;
}

bool http_response_has_more(const struct http_response *response, const char *name)
{
	if (!response->more || !response->more->data)
		return false;
	const char *end = response->more->data + response->more->size;
	for (const char *at = response->more->data; at < end; at = next_string(next_string(at)))
		if (strcasecmp(at, name) == 0)
			return true;
	return false;
}

static void add_more(struct MHD_Response *mhd, const struct buffer *more)
{
	if (!more->data)
		return;
	const char *end = more->data + more->size;
	for (const char *at = more->data; at < end; at = next_string(next_string(at)))
		(void)MHD_add_response_header(mhd, at, next_string(at));
}

const char *http_response_retry_after(const struct listen_config *listen, int64_t asked_ns, char text[RETRY_AFTER_SIZE])
{
	int64_t ns = asked_ns > listen->retry_after.ns ? asked_ns : listen->retry_after.ns;
	int64_t seconds = (ns + NS_PER_S - 1) / NS_PER_S;
	(void)snprintf(text, RETRY_AFTER_SIZE, "%" PRId64, seconds > 0 ? seconds : 1);
	return text;
}

void *http_response_gzip(const void *data, size_t size, int level, size_t *size_out)
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

bool http_response_accepts_gzip(const char *accept_encoding)
{
	if (!accept_encoding)
		return false;
	int gzip = weight_of(accept_encoding, "gzip");
	return gzip >= 0 ? gzip > 0 : weight_of(accept_encoding, "*") > 0;
}

static struct MHD_Response *compressed(struct MHD_Connection *connection, const struct http_response *response,
                                       const struct listen_config *listen)
{
	if (!listen->compression || response->as_is || response->body->size < listen->compression_threshold)
		return NULL;
	const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                                   MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (!http_response_accepts_gzip(accepted))
		return NULL;
	size_t size = 0;
	void *data = http_response_gzip(response->body->data, response->body->size, (int)listen->compression_level,
	                                &size);
	if (!data)
		return NULL;
	struct MHD_Response *mhd = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
	if (mhd)
		(void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	else
		free(data);
	return mhd;
}

enum MHD_Result http_response_queue(struct MHD_Connection *connection, const struct http_response *response,
                                    const struct listen_config *listen)
{
	struct MHD_Response *mhd = compressed(connection, response, listen);
	if (!mhd)
		mhd = MHD_create_response_from_buffer(response->body->size, response->body->data,
		                                      MHD_RESPMEM_PERSISTENT);
	if (!mhd)
		return MHD_NO;
	if (listen->compression && !response->as_is)
		(void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	if (response->content_type)
		(void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	if (response->more)
		add_more(mhd, response->more);
	for (size_t i = 0; i < response->header_count; i++)
		(void)MHD_add_response_header(mhd, response->headers[i].name, response->headers[i].value);
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)response->status, mhd);
	MHD_destroy_response(mhd);
	return queued;
}

void http_response_write_events(struct buffer *out, const struct buffer *events)
{
	if (!events || !events->size)
		return;
	buffer_add_text(out, ",\"events\":");
	buffer_add(out, events->data, events->size);
}

void http_response_write_problem(struct buffer *out, int status, const char *detail, const char *request_id,
                                 const struct buffer *events)
{
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "type", "about:blank");
	jsonw_text(&json, "title", MHD_get_reason_phrase_for((unsigned)status));
	jsonw_int(&json, "status", status);
	if (detail[0])
		jsonw_text(&json, "detail", detail);
	jsonw_text(&json, "request_id", request_id);
	http_response_write_events(out, events);
	jsonw_end_object(&json);
}

void http_response_raw(int fd, const struct listen_config *listen, int status, const char *detail,
                       const char *request_id)
{
	struct buffer body = {0}, message = {0};
	char seconds[RETRY_AFTER_SIZE];
	http_response_write_problem(&body, status, detail, request_id, NULL);
	buffer_printf(&message,
	              "HTTP/1.1 %d %s\r\nContent-Type: " HTTP_TYPE_PROBLEM
	              "\r\nContent-Length: %zu\r\nConnection: close\r\nX-Request-Id: %s\r\n",
	              status, MHD_get_reason_phrase_for((unsigned)status), body.size, request_id);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		buffer_printf(&message, "Retry-After: %s\r\n", http_response_retry_after(listen, 0, seconds));
	buffer_printf(&message, "\r\n%s", body.data);
	(void)!send(fd, message.data, message.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	buffer_finish(&message);
	buffer_finish(&body);
}
