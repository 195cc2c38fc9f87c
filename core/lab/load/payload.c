/*
 * A payload is put together from members for as long as they fit; a note fills what is left to the byte. No expression
 * draws twice: which draw would come first is the compiler's choice.
 */
#include "lab/load/payload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define NOTE_OPEN "\"note\":\""
#define NOTE_CLOSE "\"}"
#define ITEMS_OPEN "\"items\":["
#define ITEMS_CLOSE "],"

enum {
	NOTE_SIZE = sizeof(NOTE_OPEN NOTE_CLOSE) - 1,
	FIRST_EVENT_S = 1767225600, /* 2026-01-01 */
};

static const struct payload_type types[] = {
	{"order.created", "ord"},    {"order.paid", "ord"},           {"order.shipped", "ord"},
	{"order.cancelled", "ord"},  {"invoice.finalized", "in"},     {"payment.succeeded", "pay"},
	{"payment.failed", "pay"},   {"refund.created", "re"},        {"customer.updated", "cus"},
	{"cart.abandoned", "cart"},  {"subscription.renewed", "sub"}, {"subscription.ended", "sub"},
	{"shipment.delivered", "sh"}};

static const char *const names[] = {"Zoë Müller",   "José García",   "Anna Kowalska",
                                    "李娜",         "Sean O'Brien",  "Fatima al-Sayed",
                                    "Lars Åkesson", "Nguyễn Văn An", "Mary Ann \\\"Mae\\\" Jones",
                                    "John Smith"};
static const char *const countries[] = {"DE", "ES", "PL", "CN", "IE", "EG", "SE", "US", "VN", "GB"};
static const char *const currencies[] = {"eur", "usd", "gbp", "sek", "pln"};
static const char *const colours[] = {"red", "blue", "green", "black", "white", "grey"};
static const char *const goods[] = {"cotton shirt",  "desk lamp",      "coffee mug", "rain jacket",
                                    "running shoes", "paper notebook", "tea kettle", "wool blanket"};
static const char *const words[] = {"please", "leave", "the",  "parcel", "with",  "a",       "neighbour", "if",
                                    "nobody", "is",    "home", "ring",   "twice", "thank",   "you",       "gift",
                                    "wrap",   "for",   "my",   "sister", "no",    "invoice", "inside",    "fragile"};

static const char *draw(struct prng *prng, const char *const *list, size_t count)
{
	return list[prng_below(prng, count)];
}

const struct payload_type *payload_type_draw(struct prng *prng)
{
	return &types[prng_below(prng, COUNT(types))];
}

/* "ord_4f9c21d07ab3" */
static void write_id(struct buffer *out, const char *prefix, struct prng *prng)
{
	buffer_printf(out, "\"id\":\"%s_%012" PRIx64 "\",", prefix, prng_next(prng) >> 16);
}

static void write_time(struct buffer *out, uint64_t number)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format_utc((int64_t)(FIRST_EVENT_S + number % FIRST_EVENT_S) * NS_PER_S, text);
	buffer_printf(out, "\"created_at\":\"%s\",", text);
}

static void write_customer(struct buffer *out, struct prng *prng)
{
	buffer_add_text(out, "\"customer\":{");
	write_id(out, "cus", prng);
	buffer_printf(out, "\"name\":\"%s\",", draw(prng, names, COUNT(names)));
	buffer_printf(out, "\"country\":\"%s\",", draw(prng, countries, COUNT(countries)));
	buffer_printf(out, "\"email\":\"c%" PRIu64 "@example.com\",", prng_below(prng, 100000));
	buffer_printf(out, "\"vip\":%s},", prng_below(prng, 8) ? "false" : "true");
}

/* "12.05" */
static void write_money(struct buffer *out, const char *key, uint64_t limit, struct prng *prng)
{
	uint64_t cents = prng_below(prng, 100 * limit);
	buffer_printf(out, "\"%s\":%" PRIu64 ".%02" PRIu64 ",", key, cents / 100, cents % 100);
}

static void write_amount(struct buffer *out, struct prng *prng)
{
	buffer_printf(out, "\"currency\":\"%s\",", draw(prng, currencies, COUNT(currencies)));
	write_money(out, "total", 1000, prng);
	buffer_add_text(out, "\"discount\":null,");
}

static void write_item(struct buffer *out, struct prng *prng)
{
	buffer_printf(out, "{\"sku\":\"SKU-%06" PRIu64 "\",", prng_below(prng, 1000000));
	buffer_printf(out, "\"title\":\"%s\",", draw(prng, goods, COUNT(goods)));
	buffer_printf(out, "\"quantity\":%" PRIu64 ",", 1 + prng_below(prng, 5));
	write_money(out, "price", 200, prng);
	buffer_printf(out, "\"tags\":[\"%s\",\"sale\"]}", draw(prng, colours, COUNT(colours)));
}

/* A payload on its way: `end` is how large `out` will be with it. */
struct payload {
	struct buffer *out;
	size_t end;
};

/* Adds the piece if it fits with the note and `more` bytes behind it. */
static bool add_piece(struct payload *payload, struct buffer *piece, size_t more)
{
	bool fits = payload->out->size + piece->size + more + NOTE_SIZE <= payload->end;
	if (fits)
		buffer_add(payload->out, piece->data, piece->size);
	buffer_empty(piece);
	return fits;
}

static void add_items(struct payload *payload, struct buffer *piece, struct prng *prng)
{
	size_t close = strlen(ITEMS_CLOSE);
	size_t count = 0;
	buffer_add_text(piece, ITEMS_OPEN);
	write_item(piece, prng);
	while (add_piece(payload, piece, close)) {
		count++;
		buffer_add_text(piece, ",");
		write_item(piece, prng);
	}
	if (count > 0)
		buffer_add_text(payload->out, ITEMS_CLOSE);
}

static void add_note(struct payload *payload, struct prng *prng)
{
	struct buffer *out = payload->out;
	buffer_add_text(out, NOTE_OPEN);
	size_t end = payload->end - strlen(NOTE_CLOSE);
	while (out->size < end) {
		const char *word = draw(prng, words, COUNT(words));
		size_t length = strlen(word), left = end - out->size;
		buffer_add(out, word, length < left ? length : left);
		if (out->size < end)
			buffer_add(out, " ", 1);
	}
	buffer_add_text(out, NOTE_CLOSE);
}

void payload_write(const struct payload_type *type, uint64_t number, size_t size, struct prng *prng, struct buffer *out)
{
	assert(size >= PAYLOAD_SIZE_MIN);
	struct payload payload = {out, out->size + size};
	struct buffer piece = {0};
	buffer_add_text(out, "{");
	write_id(&piece, type->prefix, prng);
	(void)add_piece(&payload, &piece, 0);
	write_time(&piece, number);
	(void)add_piece(&payload, &piece, 0);
	write_amount(&piece, prng);
	(void)add_piece(&payload, &piece, 0);
	write_customer(&piece, prng);
	(void)add_piece(&payload, &piece, 0);
	add_items(&payload, &piece, prng);
	add_note(&payload, prng);
	buffer_finish(&piece);
}

/* A log-normal distribution by its quantiles: the median and P95 of the 329 payloads of @octokit/webhooks-examples. */
static const struct {
	uint32_t permille, bytes;
} quantiles[] = {{0, 700},     {10, 1460},   {50, 2370},   {250, 4750},  {500, 7700},
                 {750, 12480}, {950, 25000}, {990, 40700}, {1000, 70400}};

size_t payload_size_draw(struct prng *prng)
{
	uint64_t at = prng_below(prng, 1000000);
	size_t i = 1;
	while (quantiles[i].permille * UINT64_C(1000) <= at)
		i++;
	uint64_t low = quantiles[i - 1].permille * UINT64_C(1000), high = quantiles[i].permille * UINT64_C(1000);
	return quantiles[i - 1].bytes +
	       (size_t)((at - low) * (quantiles[i].bytes - quantiles[i - 1].bytes) / (high - low));
}
