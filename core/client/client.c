/*
 * Talking to the admin door; see client.h.
 */
#include "client/client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { TIMEOUT_S = 10 };

static size_t take(char *data, size_t size, size_t count, void *out)
{
	buffer_add(out, data, size * count);
	return size * count;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
	struct buffer line = {0};
	buffer_printf(&line, "%s%s", name, value);
	list = curl_slist_append(list, line.data);
	buffer_finish(&line);
	return list;
}

static char *join(const char *admin, const char *path)
{
	struct buffer url = {0};
	size_t length = strlen(admin);
	while (length > 0 && admin[length - 1] == '/')
		length--;
	buffer_add(&url, admin, length);
	buffer_add_text(&url, path);
	return buffer_take(&url);
}

bool client_get(const char *admin, const char *path, const char *accept, struct buffer *out, long *status_out,
                struct sluice_error *error)
{
	const char *token = getenv("SLUICE_ADMIN_TOKEN");
	char *url = join(admin ? admin : CLIENT_ADMIN_DEFAULT, path);
	char cause[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = NULL;
	if (token)
		headers = add_header(headers, "Authorization: Bearer ", token);
	if (accept)
		headers = add_header(headers, "Accept: ", accept);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, cause);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	CURLcode result = curl ? curl_easy_perform(curl) : CURLE_FAILED_INIT;
	if (result == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_out);
	else
		(void)sluice_error_set(error, "%s: no answer: %s; is the server running, and --admin right?", url,
		                       cause[0] ? cause : curl_easy_strerror(result));
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	free(url);
	return result == CURLE_OK;
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, (int)strlen(text));
	char *copy = must_strdup(escaped ? escaped : "");
	curl_free(escaped);
	return copy;
}

void client_explain(const struct buffer *body, long status, struct sluice_error *error)
{
	json_t *problem = body->data ? json_loadb(body->data, body->size, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	(void)sluice_error_set(error, "the server answers %ld: %s", status, detail ? detail : "(no reason given)");
	json_decref(problem);
}
