/*
 * The message id and the signature; see signed_id.h.
 */
#include "runtime/signed_id.h"

#include <string.h>

#include <sluice/extension.h>

#include "runtime/loader.h"
#include "yaml/option.h"

static const char header_mark[] = "header:", digest_mark[] = "digest:";

/* The sources of the message id, where the parse stage has such an option. */
static const struct sluice_strings *id_sources(const struct stage_config *parse)
{
	const struct sluice_option *options = parse->present ? parse->plugin->ops.options : NULL;
	const struct sluice_option *option = options ? option_find(options, "message_id") : NULL;
	if (!option || option->type != SLUICE_TYPE_STRINGS)
		return NULL;
	return (const void *)((const char *)parse->options + option->offset);
}

/* The table of an auth stage that verifies signatures, else NULL. */
static const struct sluice_signed_headers *signed_headers(const struct stage_config *auth)
{
	return auth->present ? sluice_extension_find(auth->plugin->ops.extensions, SLUICE_SIGNED_HEADERS) : NULL;
}

/* A source by itself, or one between the braces of several that are joined: "{header:ce-source} {header:ce-id}". */
static struct sluice_bytes next_source(const char **at)
{
	const char *text = *at, *open = *text == '/' ? NULL : strchr(text, '{');
	const char *close = open ? strchr(open, '}') : NULL;
	struct sluice_bytes source = {text, strlen(text)};
	if (close)
		source = (struct sluice_bytes){open + 1, (size_t)(close - open - 1)};
	*at = close && strchr(close, '{') ? close + 1 : NULL;
	return source;
}

static bool begins_with(struct sluice_bytes text, const char *mark)
{
	return text.size >= strlen(mark) && memcmp(text.data, mark, strlen(mark)) == 0;
}

/* Sets the warning, or the error of a source that cannot be. */
static bool check_source(struct config *config, struct sluice_bytes source, const char **warning_out,
                         struct sluice_error *error)
{
	const struct stage_config *auth = &config->stages[SLUICE_KIND_AUTH];
	const struct sluice_signed_headers *table = signed_headers(auth);
	const char *name = auth->present ? auth->plugin->ops.name : "none";
	bool has_id = auth->present && (!table || table->covers_id(auth->options));
	const char *text = arena_strndup(&config->arena, source.data, source.size);
	if (strcmp(text, "auth:id") == 0 && !has_id)
		return sluice_error_set(error,
		                        "message_id: auth:id: auth/%s verifies no id; use a JSON Pointer, or a scheme "
		                        "that signs an id",
		                        name);
	if (begins_with(source, header_mark) && table && !table->covers(auth->options, text + strlen(header_mark)))
		*warning_out = arena_printf(
			&config->arena,
			"message_id: %s is not covered by the signature that auth/%s verifies, so a recorded webhook "
			"can be sent again under another id; where the sender has one, use auth:id, or a JSON Pointer "
			"to an id in the body",
			text, name);
	return true;
}

bool signed_id_check(struct config *config, const char **warning_out, struct sluice_error *error)
{
	const struct sluice_strings *sources = id_sources(&config->stages[SLUICE_KIND_PARSE]);
	*warning_out = NULL;
	for (size_t i = 0; sources && i < sources->count; i++) {
		const char *at = sources->items[i];
		if (strncmp(at, digest_mark, strlen(digest_mark)) == 0)
			at += strlen(digest_mark);
		while (at)
			if (!check_source(config, next_source(&at), warning_out, error))
				return false;
	}
	return true;
}
