/*
 * Listener settings that last; see listen_settings.h.
 */
#include "serve/listen_settings.h"

#include <stdlib.h>
#include <string.h>

#include "yaml/option.h"

struct listen_settings {
	struct listen_settings *next;
	struct arena arena;
	struct listen_config listen;
};

static const char *copy_text(struct arena *arena, const char *text)
{
	return text ? arena_strdup(arena, text) : NULL;
}

static void copy(struct arena *arena, struct listen_config *copy, const struct listen_config *listen)
{
	const size_t count = listen->trusted_proxies.count;
	const char **texts = arena_must(arena, (count + 1) * sizeof(*texts));
	struct network *networks = arena_must(arena, (count + 1) * sizeof(*networks));
	*copy = *listen;
	copy->address = copy_text(arena, listen->address);
	copy->path = copy_text(arena, listen->path);
	for (size_t i = 0; i < count; i++)
		texts[i] = arena_strdup(arena, listen->trusted_proxies.items[i]);
	if (listen->proxies.count)
		memcpy(networks, listen->proxies.items, listen->proxies.count * sizeof(*networks));
	copy->trusted_proxies.items = texts;
	copy->proxies.items = networks;
	copy->public_url = copy_text(arena, listen->public_url);
	copy->origin = (struct url){copy_text(arena, listen->origin.scheme), copy_text(arena, listen->origin.authority),
	                            copy_text(arena, listen->origin.path)};
}

const struct listen_config *listen_settings_keep(struct listen_settings **settings, const struct listen_config *listen)
{
	const struct sluice_option *options = config_section_find("listen")->options;
	for (struct listen_settings *kept = *settings; kept; kept = kept->next)
		if (options_equal(options, &kept->listen, listen))
			return &kept->listen;
	struct listen_settings *kept = must_calloc(1, sizeof(*kept));
	arena_init(&kept->arena, 256, NULL);
	copy(&kept->arena, &kept->listen, listen);
	kept->next = *settings;
	*settings = kept;
	return &kept->listen;
}

void listen_settings_finish(struct listen_settings **settings)
{
	while (*settings) {
		struct listen_settings *kept = *settings;
		*settings = kept->next;
		arena_finish(&kept->arena);
		free(kept);
	}
}
