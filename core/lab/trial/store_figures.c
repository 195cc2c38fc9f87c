/*
 * Figures of a store; see store_figures.h.
 */
#include "lab/trial/store_figures.h"

#include <string.h>

struct collector {
	struct sluice_observer observer; /* must be first */
	json_t *figures;
};

static void collect(struct sluice_observer *observer, const char *name, const char *label, const char *of,
                    json_t *value, const char *about)
{
	json_t *figure = json_pack("{s:s}", "name", name);
	if (label) {
		(void)json_object_set_new(figure, "label", json_string(label));
		(void)json_object_set_new(figure, "of", json_string(of ? of : ""));
	}
	(void)json_object_set_new(figure, "value", value);
	(void)json_object_set_new(figure, "about", json_string(about ? about : ""));
	(void)json_array_append_new(((struct collector *)(void *)observer)->figures, figure);
}

static void take_number(struct sluice_observer *observer, const char *name, const char *label, const char *of,
                        double value, const char *about)
{
	collect(observer, name, label, of, json_real(value), about);
}

static void take_text(struct sluice_observer *observer, const char *name, const char *label, const char *of,
                      const char *value, const char *about)
{
	collect(observer, name, label, of, json_string(value ? value : ""), about);
}

static void pass_over(struct sluice_observer *observer, const char *reason)
{
	(void)observer;
	(void)reason; /* health is the server's to tell */
}

json_t *store_figures(const struct arm_store *store, struct sluice_error *error)
{
	struct collector collector = {.observer = {.gauge = take_number, .unhealthy = pass_over, .text = take_text},
	                              .figures = json_array()};
	if (!store->stats || store->stats(store->context, &collector.observer, error))
		return collector.figures;
	json_decref(collector.figures);
	return NULL;
}

double store_figure(const json_t *figures, const char *name)
{
	size_t i;
	json_t *figure;
	json_array_foreach (figures, i, figure) {
		const char *found = json_string_value(json_object_get(figure, "name"));
		if (found && strcmp(found, name) == 0 && !json_object_get(figure, "label"))
			return json_number_value(json_object_get(figure, "value"));
	}
	return -1;
}
