/*
 * Valid requests; see valid.h. Signed ones are made as the laboratory signs what it sends.
 */
#include "conform/valid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/sample.h"
#include "lab/load/sign.h"
#include "yaml/option.h"

#define ID "msg_conform"
#define TIME_S INT64_C(1700000000)
#define BODY "{\"messageId\":\"1\",\"eventType\":\"conform\",\"payload\":{\"text\":\"Grüße\"}}"

static struct valid_header *add_header(struct valid *valid, const char *name)
{
	struct valid_header *header = &valid->headers[valid->header_count++];
	*header = (struct valid_header){.name = name};
	buffer_add_text(&header->value, "");
	return header;
}

static size_t item; /* of a list of secrets, that is proven */

bool valid_use_item(struct check *check, size_t number)
{
	static const char *const names[] = {"secrets", "tokens", "users"};
	const char *list = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !list; i++)
		list = check_option(check, names[i]);
	for (size_t i = 0; list && i < number; i++) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	item = list ? number : 0;
	return list != NULL;
}

/* One item of a list. */
static char *item_of(const char *list)
{
	for (size_t i = 0; i < item; i++)
		list += strcspn(list, ",") + 1;
	return strndup(list, strcspn(list, ","));
}

static void use_request(struct valid *valid)
{
	for (size_t i = 0; i < valid->request.header_count; i++) {
		const struct request_header *header = &valid->request.headers[i];
		buffer_add_text(&add_header(valid, header->name)->value, header->value);
	}
}

static const char *scheme_of(const struct check *check)
{
	const struct sluice_option *option = option_find(check_ops(check)->options, "scheme");
	const char *given = check_option(check, "scheme");
	return given || !option ? given : option->fallback;
}

/* As a sender of the stage's scheme would. False: there is no such scheme. */
static bool sign(struct check *check, struct valid *valid, const char *secret)
{
	static struct buffer lines; /* the request points into it */
	struct buffer spec = {0};
	const char *scheme = scheme_of(check);
	buffer_printf(&spec, "%s:%s", scheme ? scheme : "", secret);
	struct signer *signer = signer_create(spec.data, NULL, NULL);
	buffer_finish(&spec);
	if (!signer)
		return false;
	buffer_empty(&lines);
	bench_set_clock(TIME_S * NS_PER_S);
	signer_write(signer, (struct sluice_bytes){ID, strlen(ID)},
	             (struct sluice_bytes){valid->body.data, valid->body.size}, TIME_S * NS_PER_S, false, &lines);
	request_parse(check, lines.data, lines.size, &valid->request);
	use_request(valid);
	valid->signs_body = true;
	valid->has_time = signer_signs_time(signer);
	signer_free(signer);
	return true;
}

static void make(struct check *check, struct valid *valid)
{
	const char *secrets = check_option(check, "secrets"), *tokens = check_option(check, "tokens");
	const char *users = check_option(check, "users");
	char *secret = secrets ? item_of(secrets) : NULL, *proof = NULL;
	*valid = (struct valid){0};
	buffer_add_text(&valid->body, check_request(check) ? "" : BODY);
	if (check_request(check)) {
		valid->stated = stated_model(check);
		if (!valid->stated)
			check_skip(check, "none of the requests given with --request is stated to pass");
		valid->request = valid->stated->request;
		use_request(valid);
		buffer_add(&valid->body, valid->request.body.data, valid->request.body.size);
	} else if (secret && sign(check, valid, secret)) {
		/* signed */
	} else if (tokens) {
		struct valid_header *header = add_header(valid, "Authorization");
		buffer_printf(&header->value, "Bearer %s", proof = item_of(tokens));
		header->from = strlen("Bearer ");
	} else if (users) {
		struct valid_header *header = add_header(valid, "Authorization");
		proof = item_of(users);
		buffer_add_text(&header->value, "Basic ");
		buffer_add_base64(&header->value, proof, strlen(proof));
		header->from = strlen("Basic ");
	} else {
		check_skip(check, "conform knows no request that it accepts: give one with --request");
	}
	free(secret);
	free(proof);
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

static enum sluice_verdict run(struct check *check, struct bench *bench, const struct valid *valid)
{
	return sample_run(check, bench, valid_event(bench, valid));
}

/* Finds the headers that matter. */
static void learn(struct check *check, struct bench *bench, struct valid *valid)
{
	for (size_t i = 0; i < valid->header_count; i++) {
		struct valid without = *valid;
		without.header_count--;
		memmove(&without.headers[i], &without.headers[i + 1],
		        (without.header_count - i) * sizeof(without.headers[0]));
		valid->headers[i].matters = run(check, bench, &without) != SLUICE_PASS;
	}
}

struct bench *valid_open(struct check *check, struct valid *valid_out)
{
	struct bench *bench = check_open(check);
	if (!has_secret(check) && !check_request(check) &&
	    run(check, bench, &(struct valid){.header_count = 0}) == SLUICE_PASS)
		check_skip(check, "it has no secret and accepts every request");
	make(check, valid_out);
	struct sluice_event *event = valid_event(bench, valid_out);
	enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
	check_that(check, verdict == SLUICE_PASS, "a valid request: expected PASS, got %s: %s", verdict_name(verdict),
	           bench_detail(event));
	bench_settle(bench, event, verdict);
	learn(check, bench, valid_out);
	return bench;
}

struct sluice_event *valid_event(struct bench *bench, const struct valid *valid)
{
	struct sluice_event *event = request_event(bench, &valid->request);
	for (size_t i = 0; i < valid->header_count; i++)
		bench_add_header(event, valid->headers[i].name, valid->headers[i].value.data);
	bench_set_body(event, valid->body.data, valid->body.size);
	if (valid->stated && valid->stated->client)
		bench_set_client(event, valid->stated->client);
	return event;
}
