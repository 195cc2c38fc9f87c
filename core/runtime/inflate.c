/*
 * Inflating; see inflate.h.
 */
#include "runtime/inflate.h"

#include <stdbool.h>
#include <zlib.h>

#include "base/arena.h"

enum { GZIP = 16 /* to inflateInit2() */, FIRST_ROOM = 4096, GROWTH = 4 };

struct inflater {
	struct event *event;
	z_stream stream;
	char *body;
	size_t size, room; /* with a byte behind for a NUL */
};

/* "deflate" is the zlib format; some senders leave its two bytes of header out (RFC 9110, section 8.4.1.2). */
static int window_bits(const struct event *event)
{
	const unsigned char *at = (const unsigned char *)event->pub.body.data;
	if (event->coding == CODING_GZIP)
		return MAX_WBITS + GZIP;
	bool has_header = event->pub.body.size >= 2 && (at[0] & 15) == Z_DEFLATED && (at[0] << 8 | at[1]) % 31 == 0;
	return has_header ? MAX_WBITS : -MAX_WBITS;
}

/* One byte more than there may be, to tell whether there are more. */
static bool grow(struct inflater *inflater)
{
	size_t most = inflater->event->inflated_max + 1;
	size_t room = inflater->room ? GROWTH * inflater->room : FIRST_ROOM;
	room = room < most ? room : most;
	char *body = arena_grow(&inflater->event->arena, inflater->body, inflater->room ? inflater->room + 1 : 0,
	                        room + 1);
	if (!body)
		return false;
	inflater->body = body;
	inflater->room = room;
	return true;
}

static enum sluice_verdict refuse(struct inflater *inflater, const char *found)
{
	return sluice_reject(&inflater->event->pub, 400, "the body: expected what Content-Encoding says, got %s",
	                     found);
}

/* A file of gzip may have several members (RFC 1952, section 2.2). */
static bool begins_again(struct inflater *inflater)
{
	return inflater->event->coding == CODING_GZIP && inflater->stream.avail_in > 0 &&
	       inflateReset(&inflater->stream) == Z_OK;
}

static enum sluice_verdict inflate_all(struct inflater *inflater)
{
	struct sluice_event *pub = &inflater->event->pub;
	z_stream *stream = &inflater->stream;
	for (;;) {
		if (inflater->size == inflater->room && !grow(inflater))
			return sluice_retry(pub, 0, "the bound on bytes in flight is reached");
		stream->next_out = (Bytef *)inflater->body + inflater->size;
		stream->avail_out = (uInt)(inflater->room - inflater->size);
		int result = inflate(stream, Z_NO_FLUSH);
		inflater->size = inflater->room - stream->avail_out;
		if (inflater->size > inflater->event->inflated_max)
			return sluice_reject(
				pub, 413,
				"the body: expected at most %zu bytes when inflated (listen.max_body), got more",
				inflater->event->inflated_max);
		if (result == Z_MEM_ERROR)
			return sluice_retry(pub, 0, "out of memory");
		if (result == Z_STREAM_END && !begins_again(inflater))
			return stream->avail_in ? refuse(inflater, "more after its end") : SLUICE_PASS;
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return refuse(inflater, "other data");
		if (result != Z_STREAM_END && stream->avail_in == 0 && stream->avail_out > 0)
			return refuse(inflater, "an early end");
	}
}

enum sluice_verdict inflate_body(struct event *event)
{
	struct sluice_bytes sent = event->pub.body;
	struct inflater inflater = {.event = event,
	                            .stream = {.next_in = (Bytef *)(uintptr_t)sent.data, .avail_in = (uInt)sent.size}};
	if (inflateInit2(&inflater.stream, window_bits(event)) != Z_OK)
		return sluice_retry(&event->pub, 0, "out of memory");
	enum sluice_verdict verdict = inflate_all(&inflater);
	(void)inflateEnd(&inflater.stream);
	if (verdict != SLUICE_PASS)
		return verdict;
	inflater.body[inflater.size] = '\0';
	if (event->pub.payload.data == sent.data)
		event->pub.payload = (struct sluice_bytes){inflater.body, inflater.size};
	event->pub.body = (struct sluice_bytes){inflater.body, inflater.size};
	event->coding = CODING_IDENTITY;
	return SLUICE_PASS;
}
