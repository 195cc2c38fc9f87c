/*
 * The head of a report: what it came to, in a sentence, and what was measured.
 *
 * The verdict of a comparison comes first and a gate's after it; a run with neither says what it measured.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "lab/judge/outcome.h"
#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"

const char *report_tone(const char *name)
{
	const struct outcome *outcome = outcome_find(name);
	return outcome ? outcome->tone : "even";
}

/* An outcome's name with its first letter in capitals. */
struct capitalized {
	char text[32];
};

static struct capitalized capitalize(const char *name)
{
	struct capitalized word = {{0}};
	(void)strncpy(word.text, name, sizeof(word.text) - 1);
	word.text[0] = (char)toupper((unsigned char)word.text[0]);
	return word;
}

/* Of who judged the run, NULL: nobody has. */
static const json_t *judgement_of(const struct report_documents *documents)
{
	const json_t *verdict = report_at(documents->compare, "verdict");
	return verdict ? verdict : documents->gate;
}

static const char *outcome_word(const struct report_documents *documents)
{
	const json_t *judgement = judgement_of(documents);
	if (judgement)
		return report_text(judgement, "outcome");
	return json_is_false(report_at(documents->run, "generator.valid")) ? verdict_outcomes[VERDICT_INVALID].name
	                                                                   : "measured";
}

static void put_measured(const json_t *run, struct buffer *out)
{
	double p95 = report_number(run, "results.corrected.p95_ms");
	html_add(out, "%s of %s good requests were accepted", figure_count(report_number(run, "results.accepted")).text,
	         figure_count(report_number(run, "results.expected_good")).text);
	if (isfinite(p95))
		html_add(out, "; 95 of 100 requests had their answer %s after they were due, or sooner",
		         figure_of(p95, "ms").text);
	buffer_add_text(out, ".");
}

/* The arms' names, "none against batched-writes". */
static void put_names(const struct report_documents *documents, struct buffer *out)
{
	html_text(out, report_arm_label(documents, 0));
	if (json_array_size(report_at(documents->run, "arms")) > 1 || documents->compare)
		html_add(out, " against %s", report_arm_label(documents, 1));
}

void report_put_title(const struct report_documents *documents, struct buffer *out)
{
	html_add(out, "%s: ", capitalize(outcome_word(documents)).text);
	put_names(documents, out);
}

/* Without the outcome before it, which is shown anyway: "PASS: all 5 criteria are met." */
static void put_sentence(const json_t *judgement, struct buffer *out)
{
	const char *outcome = report_text(judgement, "outcome"), *sentence = report_text(judgement, "sentence");
	size_t length = strlen(outcome);
	if (strncasecmp(sentence, outcome, length) == 0 && strncmp(sentence + length, ": ", 2) == 0)
		sentence += length + 2;
	html_text(out, sentence);
}

static void put_gate_line(const json_t *gate, struct buffer *out)
{
	const char *outcome = report_text(gate, "outcome");
	html_add(out, "<p class=\"tone %s\"><b>Gate: %s</b> ", report_tone(outcome), outcome);
	put_sentence(gate, out);
	buffer_add_text(out, "</p>\n");
}

/* What a reader must know beside the verdict, as the comparison says it. */
static void put_notes(const json_t *notes, struct buffer *out)
{
	size_t i;
	json_t *note;
	if (json_array_size(notes) == 0)
		return;
	buffer_add_text(out, "<ul>\n");
	json_array_foreach (notes, i, note)
		html_add(out, "<li>%s</li>\n", json_string_value(note));
	buffer_add_text(out, "</ul>\n");
}

void report_put_verdict(const struct report_documents *documents, struct buffer *out)
{
	const json_t *judgement = judgement_of(documents);
	const char *outcome = outcome_word(documents);
	buffer_add_text(out, "<p class=\"names\">Sluice, ");
	put_names(documents, out);
	html_add(out, "</p>\n<h1 class=\"tone %s\"><span class=\"outcome\">%s</span> ", report_tone(outcome),
	         capitalize(outcome).text);
	if (judgement)
		put_sentence(judgement, out);
	else
		put_measured(documents->run, out);
	buffer_add_text(out, "</h1>\n");
	put_notes(report_at(documents->compare, "notes"), out);
	if (documents->gate && judgement != documents->gate)
		put_gate_line(documents->gate, out);
}
