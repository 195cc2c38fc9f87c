/*
 * Posts what it is given by HTTP, with libcurl: one handle, so that a connection is kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <sluice/exporter.h>

enum { LIMIT_ANSWER = 1 << 20 /* bytes that are read of one */, CONNECT_MS = 5000 };
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct exporter {
	const struct sluice_exporter_target *target;
	CURL *curl;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
};

struct transfer {
	const struct sluice_exporter_message *message;
	struct sluice_exporter_answer *answer;
	size_t kept, read;
};

static size_t take(char *data, size_t one, size_t size, void *context)
{
	struct transfer *transfer = context;
	size_t room = sizeof(transfer->answer->body) - 1 - transfer->kept, kept = size < room ? size : room;
	(void)one;
	memcpy(transfer->answer->body + transfer->kept, data, kept);
	transfer->kept += kept;
	transfer->read += size;
	return transfer->read > LIMIT_ANSWER ? 0 : size;
}

static int ask(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct transfer *transfer = context;
	(void)a, (void)b, (void)c, (void)d;
	return transfer->message->is_over(transfer->message->context);
}

static bool add_header(struct exporter *exporter, const char *header)
{
	struct curl_slist *longer = curl_slist_append(exporter->headers, header);
	if (longer)
		exporter->headers = longer;
	return longer;
}

static void destroy(void *context)
{
	struct exporter *exporter = context;
	curl_slist_free_all(exporter->headers);
	curl_easy_cleanup(exporter->curl);
	free(exporter);
}

/* Nothing of it changes from one message to the next. A redirection is not followed: it would take the headers elsewhere. */
static bool set_up(struct exporter *exporter)
{
	const struct sluice_exporter_target *target = exporter->target;
	CURL *curl = exporter->curl;
	bool ok = curl_easy_setopt(curl, CURLOPT_URL, target->url) == CURLE_OK &&
	          curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	          curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice") == CURLE_OK;
	if (target->ca_file)
		ok = ok && curl_easy_setopt(curl, CURLOPT_CAINFO, target->ca_file) == CURLE_OK;
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(target->timeout_ns / NS_PER_MS));
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exporter->error);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	ok = ok && add_header(exporter, "Expect:");
	for (size_t i = 0; i < target->headers.count; i++)
		ok = ok && add_header(exporter, target->headers.items[i]);
	return ok;
}

static void *create(const struct sluice_exporter_target *target, struct sluice_error *error)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		(void)sluice_error_set(error, "libcurl cannot be used");
		return NULL;
	}
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	CURL *curl = curl_easy_init();
	if (!exporter || !curl) {
		(void)sluice_error_set(error, "out of memory");
		curl_easy_cleanup(curl);
		free(exporter);
		return NULL;
	}
	exporter->curl = curl;
	exporter->target = target;
	if (set_up(exporter))
		return exporter;
	(void)sluice_error_set(error, "libcurl does not accept the settings");
	destroy(exporter);
	return NULL;
}

static void perform(struct exporter *exporter, struct curl_slist *headers, struct transfer *transfer)
{
	struct sluice_exporter_answer *answer = transfer->answer;
	CURL *curl = exporter->curl;
	long status = 0;
	curl_off_t seconds = 0;
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer->message->body);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->message->size);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	exporter->error[0] = '\0';
	CURLcode code = curl_easy_perform(curl);
	answer->body[transfer->kept] = '\0';
	if (code == CURLE_OK) {
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
	} else {
		(void)snprintf(answer->reason, sizeof(answer->reason), "%s",
		               exporter->error[0] ? exporter->error : curl_easy_strerror(code));
	}
	answer->status = (int)status;
	answer->retry_after_ns = seconds > 0 && seconds < INT32_MAX ? (int64_t)seconds * NS_PER_S : 0;
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
}

static void post(void *context, const struct sluice_exporter_message *message,
                 struct sluice_exporter_answer *answer_out)
{
	struct exporter *exporter = context;
	struct transfer transfer = {.message = message, .answer = answer_out};
	char type[128];
	*answer_out = (struct sluice_exporter_answer){0};
	(void)snprintf(type, sizeof(type), "Content-Type: %s", message->type);
	struct curl_slist first = {.data = type, .next = exporter->headers};
	perform(exporter, &first, &transfer);
}

__attribute__((visibility("default"))) extern const struct sluice_exporter_ops sluice_exporter_1;
const struct sluice_exporter_ops sluice_exporter_1 = {.create = create, .post = post, .destroy = destroy};
