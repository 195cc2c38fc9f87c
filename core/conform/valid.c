/*
 * Signs by itself what the schemes of docs/ and of auth/hmac have in common: HMAC-SHA256 over parts of the request.
 */
#include "conform/valid.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "yaml/option.h"

#define ID "msg_conform"
#define TIME "1700000000"
#define BODY "{\"messageId\":\"1\",\"eventType\":\"conform\",\"payload\":{\"text\":\"Grüße\"}}"

enum { HMAC_BLOCK = 64, FILE_MAX = 1 << 20 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const struct recipe {
	const char *scheme;
	const char *header, *time_header, *id_header;
	const char *before;      /* the body, in what is signed */
	const char *text;        /* before the signature, in its header */
	bool key_base64, base64; /* how key and signature are written */
	bool has_time;
} recipes[] = {
	{"standard-webhooks", "webhook-signature", "webhook-timestamp", "webhook-id", ID "." TIME ".", "v1,", true,
         true, true},
	{"github", "X-Hub-Signature-256", NULL, NULL, "", "sha256=", false, false, false},
	{"stripe", "Stripe-Signature", NULL, NULL, TIME ".", "t=" TIME ",v1=", false, false, true},
	{"slack", "X-Slack-Signature", "X-Slack-Request-Timestamp", NULL, "v0:" TIME ":", "v0=", false, false, true},
	{"shopify", "X-Shopify-Hmac-SHA256", NULL, NULL, "", "", false, true, false},
};

/* RFC 2104 */
static void hmac(const struct buffer *key, const struct buffer *text, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	uint8_t block[HMAC_BLOCK] = {0};
	struct buffer inner = {0}, outer = {0};
	if (key->size > HMAC_BLOCK)
		digest_bytes(key->data, key->size, block);
	else if (key->size)
		memcpy(block, key->data, key->size);
	for (size_t i = 0; i < HMAC_BLOCK; i++) {
		const uint8_t pads[] = {(uint8_t)(block[i] ^ 0x36), (uint8_t)(block[i] ^ 0x5c)};
		buffer_add(&inner, &pads[0], 1);
		buffer_add(&outer, &pads[1], 1);
	}
	buffer_add(&inner, text->data, text->size);
	digest_bytes(inner.data, inner.size, digest);
	buffer_add(&outer, digest, SLUICE_DIGEST_SIZE);
	digest_bytes(outer.data, outer.size, digest);
	buffer_finish(&inner);
	buffer_finish(&outer);
}

static void add_base64(struct buffer *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16;
		bits |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
		bits |= i + 2 < size ? data[i + 2] : 0;
		for (size_t j = 0; j < 4; j++)
			buffer_add(out, i + j > size ? "=" : &alphabet[bits >> (18 - 6 * j) & 63], 1);
	}
}

static void add_decoded(struct buffer *out, const char *text)
{
	uint32_t bits = 0;
	int count = 0;
	for (const char *found; *text && (found = strchr(alphabet, *text)); text++) {
		bits = bits << 6 | (uint32_t)(found - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			uint8_t byte = (uint8_t)(bits >> count);
			buffer_add(out, &byte, 1);
		}
	}
}

static struct valid_header *add_header(struct valid *valid, const char *name)
{
	struct valid_header *header = &valid->headers[valid->header_count++];
	*header = (struct valid_header){.name = name};
	buffer_add_text(&header->value, "");
	return header;
}

static void sign(struct valid *valid, const struct recipe *recipe, const char *secret)
{
	struct buffer key = {0}, text = {0};
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];
	if (recipe->key_base64)
		add_decoded(&key, strncmp(secret, "whsec_", 6) == 0 ? secret + 6 : secret);
	else
		buffer_add_text(&key, secret);
	buffer_printf(&text, "%s%s", recipe->before, valid->body.data);
	hmac(&key, &text, digest);
	digest_hex(digest, hex);

	struct valid_header *header = add_header(valid, recipe->header);
	buffer_add_text(&header->value, recipe->text);
	if (recipe->base64)
		add_base64(&header->value, digest, sizeof(digest));
	else
		buffer_add_text(&header->value, hex);
	if (recipe->time_header)
		buffer_add_text(&add_header(valid, recipe->time_header)->value, TIME);
	if (recipe->id_header)
		buffer_add_text(&add_header(valid, recipe->id_header)->value, ID);
	valid->signs_body = true;
	valid->has_time = recipe->has_time;
	buffer_finish(&key);
	buffer_finish(&text);
}

static const struct recipe *find_recipe(const struct check *check)
{
	const struct sluice_option *option = option_find(check_ops(check)->options, "scheme");
	const char *scheme = check_option(check, "scheme");
	if (option && !scheme)
		scheme = option->fallback;
	for (size_t i = 0; scheme && i < sizeof(recipes) / sizeof(recipes[0]); i++) {
		if (strcmp(recipes[i].scheme, scheme) == 0)
			return &recipes[i];
	}
	return NULL;
}

/* The first item of a list. */
static char *first_item(const char *list)
{
	return strndup(list, strcspn(list, ","));
}

/* One line without its end; the rest begins behind it. */
static char *take_line(char **rest)
{
	char *line = *rest, *end = line + strcspn(line, "\n");
	*rest = *end ? end + 1 : end;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

static void take_header(struct check *check, struct valid *valid, char *line)
{
	char *colon = strchr(line, ':');
	if (!colon)
		return; /* the request line */
	if (valid->header_count == VALID_HEADERS_MAX)
		check_skip(check, "the request has more than %d headers", VALID_HEADERS_MAX);
	*colon = '\0';
	const char *value = colon + 1 + strspn(colon + 1, " \t");
	buffer_add_text(&add_header(valid, line)->value, value);
	struct tm date = {0};
	if (strcasecmp(line, "Date") == 0 && strptime(value, "%a, %d %b %Y %H:%M:%S", &date))
		bench_set_clock((int64_t)timegm(&date) * NS_PER_S);
}

static void read_request(struct check *check, struct valid *valid)
{
	static char text[FILE_MAX + 1]; /* the headers' names point into it */
	FILE *file = fopen(check_request(check), "re");
	size_t size = file ? fread(text, 1, FILE_MAX, file) : 0;
	if (file)
		(void)fclose(file);
	if (size == 0)
		check_skip(check, "%s could not be read", check_request(check));
	text[size] = '\0';
	char *rest = text, *line;
	while (*rest && *(line = take_line(&rest)))
		take_header(check, valid, line);
	buffer_add(&valid->body, rest, size - (size_t)(rest - text));
}

static void make(struct check *check, struct valid *valid)
{
	const char *secrets = check_option(check, "secrets"), *tokens = check_option(check, "tokens");
	const char *users = check_option(check, "users");
	const struct recipe *recipe = find_recipe(check);
	char *item = NULL;
	*valid = (struct valid){0};
	buffer_add_text(&valid->body, check_request(check) ? "" : BODY);
	if (check_request(check)) {
		read_request(check, valid);
	} else if (secrets && recipe) {
		bench_set_clock(INT64_C(1700000000) * NS_PER_S);
		sign(valid, recipe, item = first_item(secrets));
	} else if (tokens) {
		struct valid_header *header = add_header(valid, "Authorization");
		buffer_printf(&header->value, "Bearer %s", item = first_item(tokens));
		header->from = strlen("Bearer ");
	} else if (users) {
		struct valid_header *header = add_header(valid, "Authorization");
		item = first_item(users);
		buffer_add_text(&header->value, "Basic ");
		add_base64(&header->value, (const uint8_t *)item, strlen(item));
		header->from = strlen("Basic ");
	} else {
		check_skip(check, "no request is known that it lets through: give one with --request");
	}
	free(item);
}

static bool has_secret(const struct check *check)
{
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (option->flags & SLUICE_OPTION_SECRET)
			return true;
	}
	return false;
}

static enum sluice_verdict run(struct bench *bench, const struct valid *valid)
{
	struct sluice_event *event = valid_event(bench, valid);
	enum sluice_verdict verdict = bench_process(bench, event);
	bench_settle(bench, event, verdict);
	return verdict;
}

/* Finds the headers that matter. */
static void learn(struct bench *bench, struct valid *valid)
{
	for (size_t i = 0; i < valid->header_count; i++) {
		struct valid without = *valid;
		without.header_count--;
		memmove(&without.headers[i], &without.headers[i + 1],
		        (without.header_count - i) * sizeof(without.headers[0]));
		valid->headers[i].matters = run(bench, &without) != SLUICE_PASS;
	}
}

struct bench *valid_open(struct check *check, struct valid *valid_out)
{
	struct bench *bench = check_open(check);
	if (!has_secret(check) && !check_request(check) &&
	    run(bench, &(struct valid){.header_count = 0}) == SLUICE_PASS)
		check_skip(check, "it has no secret and lets everything through");
	make(check, valid_out);
	check_that(check, run(bench, valid_out) == SLUICE_PASS, "a valid request was expected to pass");
	learn(bench, valid_out);
	return bench;
}

struct sluice_event *valid_event(struct bench *bench, const struct valid *valid)
{
	struct sluice_event *event = bench_event(bench);
	for (size_t i = 0; i < valid->header_count; i++)
		bench_add_header(event, valid->headers[i].name, valid->headers[i].value.data);
	bench_set_body(event, valid->body.data, valid->body.size);
	return event;
}
