/* Looking into the documents of a run; see report_parts.h. */
#include <math.h>
#include <string.h>

#include "lab/report/report_parts.h"
#include "lab/run/run.h"

const json_t *report_at(const json_t *document, const char *path)
{
	while (document && *path) {
		char name[64];
		size_t size = strcspn(path, ".");
		if (size >= sizeof(name))
			return NULL;
		memcpy(name, path, size);
		name[size] = '\0';
		document = json_object_get(document, name);
		path += size + (path[size] == '.');
	}
	return document;
}

const char *report_text(const json_t *document, const char *path)
{
	const char *text = json_string_value(report_at(document, path));
	return text ? text : "";
}

double report_number(const json_t *document, const char *path)
{
	const json_t *value = report_at(document, path);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *report_arm_letter(size_t arm)
{
	static const char *const letters[RUN_ARMS_MAX] = {"A", "B"};
	return arm < RUN_ARMS_MAX ? letters[arm] : "?";
}

const char *report_arm_label(const struct report_documents *documents, size_t arm)
{
	const json_t *arms = report_at(documents->compare, "arms");
	const char *label = report_text(json_array_get(arms ? arms : report_at(documents->run, "arms"), arm), "label");
	return label[0] ? label : report_arm_letter(arm);
}
