/* Whether what was answered is what was stored, and whether the answers were right. */
#include <math.h>

#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"
#include "lab/run/run.h"

/* The promises that a store can break, as the documents name them. */
static const struct violation {
	const char *name, *meaning;
} violations[] = {
	{"lost", "answered as stored, and not there"},
	{"doubled", "stored more than once"},
	{"altered", "stored with other content than was sent"},
	{"reordered", "stored out of the order of its stream"},
};
enum { EXAMPLES_MAX = 10 /* of an arm */, VIOLATIONS = sizeof(violations) / sizeof(violations[0]) };

/* What was found of one arm, in the verifier's own words or in the comparison's; NULL: nothing was verified. */
static const json_t *verified(const struct report_documents *documents, size_t arm)
{
	const json_t *found = report_at(documents->verify, "arms");
	size_t i;
	json_t *each;
	json_array_foreach (found ? found : report_at(documents->compare, "violations"), i, each) {
		if (json_integer_value(report_at(each, "arm")) == (json_int_t)arm)
			return each;
	}
	return NULL;
}

static void put_violation(const struct report_documents *documents, const struct violation *violation,
                          struct buffer *out)
{
	html_add(out, "<tr><th scope=\"row\">%s</th>", violation->name);
	for (size_t arm = 0; arm < RUN_ARMS_MAX; arm++) {
		if (!verified(documents, arm))
			continue;
		double count = report_number(verified(documents, arm), violation->name);
		html_add(out, "<td data-label=\"%s\"><span class=\"tone %s\">%s</span></td>", report_arm_letter(arm),
		         count > 0 ? "bad" : "even", figure_count(count).text);
	}
	html_add(out, "<td class=\"words\">%s</td></tr>\n", violation->meaning);
}

static void put_violations(const struct report_documents *documents, struct buffer *out)
{
	buffer_add_text(out, "<table class=\"cards narrow\">\n<thead><tr><th scope=\"col\">Webhooks</th>");
	for (size_t arm = 0; arm < RUN_ARMS_MAX; arm++) {
		if (!verified(documents, arm))
			continue;
		html_add(out, "<th scope=\"col\"><span class=\"arm %s\">%s</span></th>", arm ? "b" : "a",
		         report_arm_letter(arm));
	}
	buffer_add_text(out, "<th class=\"words\" scope=\"col\">means</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < VIOLATIONS; i++)
		put_violation(documents, &violations[i], out);
	buffer_add_text(out, "</tbody></table>\n");
}

static void put_example(size_t arm, const json_t *example, struct buffer *out)
{
	html_add(out, "<li><span class=\"arm %s\">%s</span> <code>%s</code>: ", arm ? "b" : "a", report_arm_letter(arm),
	         report_text(example, "message_id"));
	html_add(out, "%s, %s</li>\n", report_text(example, "kind"), report_text(example, "detail"));
}

/* Some of what was found, by name; all of it is in verify.json. */
static void put_examples(const json_t *examples, size_t arm, struct buffer *out)
{
	if (json_array_size(examples) == 0)
		return;
	buffer_add_text(out, "<ul>\n");
	for (size_t i = 0; i < json_array_size(examples) && i < EXAMPLES_MAX; i++)
		put_example(arm, json_array_get(examples, i), out);
	buffer_add_text(out, "</ul>\n");
}

static void put_answers(const json_t *results, struct buffer *out)
{
	html_add(out, "<p>%s of %s requests that should be taken were accepted; %s of all %s got ",
	         figure_count(report_number(results, "accepted")).text,
	         figure_count(report_number(results, "expected_good")).text,
	         figure_count(report_number(results, "errors")).text,
	         figure_count(report_number(results, "requests")).text);
	html_add(out, "another answer than their kind asks for, or none; %s tries were repeated.</p>\n",
	         figure_count(report_number(results, "retried")).text);
}

static void put_kinds(const json_t *kinds, struct buffer *out)
{
	const char *kind;
	json_t *counts;
	buffer_add_text(
		out,
		"<table class=\"cards narrow\">\n<thead><tr><th scope=\"col\">Kind of request</th><th scope=\"col\">sent</th><th scope=\"col\">rightly answered</th></tr></thead>\n<tbody>\n");
	json_object_foreach ((json_t *)kinds, kind, counts) {
		html_add(out, "<tr><th scope=\"row\">%s</th><td data-label=\"sent\">%s</td>", kind,
		         figure_count(report_number(counts, "requests")).text);
		html_add(out, "<td data-label=\"rightly answered\">%s</td></tr>\n",
		         figure_count(report_number(counts, "right")).text);
	}
	buffer_add_text(out, "</tbody></table>\n");
}

void report_put_correctness(const struct report_documents *documents, struct buffer *out)
{
	const json_t *results = report_at(documents->run, "results");
	const json_t *kinds = report_at(results, "by_kind");
	if (verified(documents, 0) || verified(documents, 1)) {
		put_violations(documents, out);
		for (size_t arm = 0; arm < RUN_ARMS_MAX; arm++)
			put_examples(report_at(verified(documents, arm), "examples"), arm, out);
	} else {
		buffer_add_text(out, "<p>What is stored was not held against what was answered.</p>\n");
	}
	if (results)
		put_answers(results, out);
	if (json_object_size(kinds) > 0)
		put_kinds(kinds, out);
}
