/*
 * Messages of Amazon SNS; see sns.h. The certificate is one that the operator has put into a file: what the message says of it
 * is only held against Amazon's names, and nothing is fetched.
 */
#include "sns.h"

#include <jansson.h>
#include <string.h>

#include <sluice/host.h>

enum { BODY_MAX = 1024 * 1024 /* a message has up to 256 KiB, escaped */ };

/* In the order that they are signed in; those that a message does not have are left out. */
static const char *const of_notifications[] = {"Message",  "MessageId", "Subject", "Timestamp",
                                               "TopicArn", "Type",      NULL};
static const char *const of_subscriptions[] = {"Message", "MessageId", "SubscribeURL", "Timestamp",
                                               "Token",   "TopicArn",  "Type",         NULL};

static struct sluice_bytes get(const json_t *message, const char *name)
{
	const json_t *value = json_object_get(message, name);
	return (struct sluice_bytes){json_string_value(value), json_string_length(value)};
}

static bool is(struct sluice_bytes text, const char *word)
{
	return text.data && text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static const char *const *signed_members(struct sluice_bytes type)
{
	if (is(type, "Notification"))
		return of_notifications;
	return is(type, "SubscriptionConfirmation") || is(type, "UnsubscribeConfirmation") ? of_subscriptions : NULL;
}

static char *put(char *at, const char *data, size_t size)
{
	if (size)
		memcpy(at, data, size);
	at[size] = '\n';
	return at + size + 1;
}

static struct sluice_bytes write_text(struct sluice_event *event, const json_t *message, const char *const *members)
{
	size_t size = 0;
	for (const char *const *name = members; *name; name++)
		size += strlen(*name) + get(message, *name).size + 2;
	char *text = sluice_alloc(event, size), *at = text;
	for (const char *const *name = members; text && *name; name++) {
		struct sluice_bytes value = get(message, *name);
		if (value.data)
			at = put(put(at, *name, strlen(*name)), value.data, value.size);
	}
	return (struct sluice_bytes){text, text ? (size_t)(at - text) : 0};
}

static const char *age_flaw(const struct sluice_event *event, struct sluice_bytes timestamp, int64_t tolerance_ns)
{
	const struct scheme dates = {.unit_ns = SCHEME_DATE_NS};
	int64_t sent;
	if (!timestamp.data || !scheme_read_time(&dates, timestamp, &sent))
		return "the timestamp has another form";
	if (tolerance_ns && event->received_at_ns - sent > tolerance_ns)
		return "the timestamp is too old";
	return tolerance_ns && sent - event->received_at_ns > tolerance_ns ? "the timestamp is too far ahead" : NULL;
}

static const char *read_message(struct sluice_event *event, const json_t *message, int64_t tolerance_ns,
                                struct signed_request *request, struct sluice_bytes *id_out, bool *memory_short_out)
{
	const char *const *members = signed_members(get(message, "Type"));
	struct sluice_bytes id = get(message, "MessageId"), signature = get(message, "Signature");
	if (!members || !id.size || !signature.size)
		return "no message of Amazon SNS";
	if (!is(get(message, "SignatureVersion"), "2"))
		return "the signature is of another version than 2: set SignatureVersion of the topic to 2";
	const char *flaw = age_flaw(event, get(message, "Timestamp"), tolerance_ns);
	if (flaw)
		return flaw;
	*id_out = sluice_copy(event, id.data, id.size);
	request->signature = sluice_copy(event, signature.data, signature.size);
	request->values.of[PART_BODY] = write_text(event, message, members);
	*memory_short_out = !id_out->data || !request->signature.data || !request->values.of[PART_BODY].data;
	return NULL;
}

const char *sns_read(struct sluice_event *event, int64_t tolerance_ns, struct signed_request *request_out,
                     struct sluice_bytes *id_out, bool *memory_short_out)
{
	*request_out = (struct signed_request){.received_at_ns = event->received_at_ns};
	*memory_short_out = false;
	if (event->body.size > BODY_MAX)
		return "no message of Amazon SNS: it is too large";
	json_t *message = json_loadb(event->body.data, event->body.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *flaw = read_message(event, message, tolerance_ns, request_out, id_out, memory_short_out);
	json_decref(message);
	return flaw;
}
