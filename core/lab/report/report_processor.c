/* Whether a stage that takes long works or waits: its processor time beside its time, in both arms. */
#include <math.h>
#include <stdbool.h>

#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"

static void put_cell(struct buffer *out, const char *label, const char *text)
{
	html_add(out, "<td data-label=\"%s\">%s</td>", label, text);
}

/* The slowest 5 %, which the P95 is made of. */
static void put_arm(struct buffer *out, const json_t *processor, size_t arm)
{
	double work = report_number(processor, "tail_work_ms"), cpu = report_number(processor, "tail_cpu_ms");
	const char *letter = report_arm_letter(arm);
	put_cell(out, letter, figure_of(work, "ms").text);
	put_cell(out, "processor", figure_of(cpu, "ms").text);
	put_cell(out, "works", figure_share(work > 0 ? cpu / work : NAN).text);
}

static void put_stage(struct buffer *out, const json_t *stage)
{
	const json_t *processor = report_at(stage, "processor");
	if (!processor)
		return;
	html_add(out, "<tr><th scope=\"row\">%s</th>", report_text(stage, "title"));
	for (size_t arm = 0; arm < 2; arm++)
		put_arm(out, json_array_get(processor, arm), arm);
	buffer_add_text(out, "</tr>\n");
}

static bool is_measured(const json_t *stages)
{
	size_t i;
	json_t *stage;
	json_array_foreach (stages, i, stage) {
		if (report_at(stage, "processor"))
			return true;
	}
	return false;
}

void report_put_processor(const struct report_documents *documents, struct buffer *out)
{
	const json_t *stages = report_at(documents->compare, "stages");
	size_t i;
	json_t *stage;
	if (!is_measured(stages))
		return;
	buffer_add_text(
		out,
		"<section id=\"processor\">\n<h2>Working or waiting</h2>\n"
		"<p class=\"note\">What a stage took in the slowest 5 % of the requests, and what of that its thread was on a "
		"processor, as means. What it does not work it waits: for the disk, a lock, another process, a processor. Of a "
		"batch, both are the batch’s.</p>\n"
		"<table class=\"cards\">\n<thead><tr><th scope=\"col\">Stage</th>");
	for (size_t arm = 0; arm < 2; arm++) {
		html_add(out, "<th scope=\"col\"><span class=\"arm %s\">%s</span> time</th>", arm == 0 ? "a" : "b",
		         report_arm_letter(arm));
		buffer_add_text(out, "<th scope=\"col\">processor</th><th scope=\"col\">works</th>");
	}
	buffer_add_text(out, "</tr></thead>\n<tbody>\n");
	json_array_foreach (stages, i, stage)
		put_stage(out, stage);
	buffer_add_text(out, "</tbody></table>\n</section>\n");
}
