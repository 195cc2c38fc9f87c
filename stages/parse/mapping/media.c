/*
 * Media types; see media.h.
 */
#include "media.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include <sluice/host.h>

enum { TYPE_MAX = 127, TYPE_SHOWN = 60 };

static const char form_type[] = "application/x-www-form-urlencoded";

/* The media type of a request without its parameters; "": it has none. One that is too long is none that anybody knows. */
static void read_type(const struct sluice_event *event, char type[TYPE_MAX + 1])
{
	struct sluice_bytes header = sluice_get_header(event, "Content-Type");
	const char *end = header.size ? memchr(header.data, ';', header.size) : NULL;
	size_t size = end ? (size_t)(end - header.data) : header.size;
	while (size && (header.data[size - 1] == ' ' || header.data[size - 1] == '\t'))
		size--;
	size = size < TYPE_MAX ? size : TYPE_MAX;
	for (size_t i = 0; i < size; i++)
		type[i] = isprint((unsigned char)header.data[i]) ? header.data[i] : '?';
	type[size] = '\0';
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t size = strlen(text), length = strlen(suffix);
	return size > length && strcasecmp(text + size - length, suffix) == 0;
}

static bool is_in(const struct sluice_strings *patterns, const char *type)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], type, FNM_CASEFOLD | FNM_NOESCAPE) == 0)
			return true;
	return false;
}

static bool starts_as_object(struct sluice_bytes body)
{
	size_t at = 0;
	while (at < body.size && strchr(" \t\r\n", body.data[at]) && body.data[at])
		at++;
	return at < body.size && body.data[at] == '{';
}

static bool check_list(const struct sluice_strings *list, const char *name, struct sluice_error *error)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], "*") != 0 && !strchr(list->items[i], '/'))
			return sluice_error_set(error,
			                        "media_types.%s: expected a media type such as text/plain, got \"%s\"",
			                        name, list->items[i]);
	return true;
}

bool media_check(const struct media_config *config, struct sluice_error *error)
{
	return check_list(&config->json, "json", error) && check_list(&config->opaque, "opaque", error) &&
	       check_list(&config->batch, "batch", error);
}

bool media_may_be_batch(const struct media_config *config, const struct sluice_event *event)
{
	char type[TYPE_MAX + 1];
	read_type(event, type);
	return config->batch.count == 0 || is_in(&config->batch, type);
}

enum media media_of(const struct media_config *config, const struct sluice_event *event)
{
	char type[TYPE_MAX + 1];
	read_type(event, type);
	/* Whatever its type: nothing is no JSON, and where anything is taken, so is nothing. */
	if (event->body.size == 0 && is_in(&config->opaque, ""))
		return MEDIA_OPAQUE;
	if (strcasecmp(type, form_type) == 0)
		return starts_as_object(event->body) ? MEDIA_JSON : MEDIA_FORM;
	if (!*type || strcasecmp(type, "application/json") == 0 || ends_in(type, "+json") || is_in(&config->json, type))
		return MEDIA_JSON;
	return is_in(&config->opaque, type) ? MEDIA_OPAQUE : MEDIA_REFUSED;
}

enum sluice_verdict media_refuse(struct sluice_event *event)
{
	char type[TYPE_MAX + 1];
	read_type(event, type);
	(void)sluice_set_header(event, "Accept", "application/json");
	if (strcasecmp(type, form_type) == 0)
		return sluice_reject(event, 415,
		                     "Content-Type: expected application/json, got a form (%s): let the sender send "
		                     "JSON, or take forms with parse: form",
		                     form_type);
	return sluice_reject(event, 415,
	                     "Content-Type: expected application/json or a type ending in +json, got %.*s: let the "
	                     "sender send that, or set parse.media_types",
	                     TYPE_SHOWN, type);
}
