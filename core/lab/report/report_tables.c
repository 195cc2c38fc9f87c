/* The tables of a report: metrics, the gate's criteria, correctness. */
#include <math.h>
#include <string.h>

#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"

/* `label` is what stands before the figure where the table is narrow. */
static void put_cell(struct buffer *out, const char *label, const char *text)
{
	html_add(out, "<td data-label=\"%s\">%s</td>", label, text);
}

/* A member that may be a figure or a text that its writer has chosen. */
static void put_value(struct buffer *out, const char *label, const json_t *value, const char *unit)
{
	const char *text = json_string_value(value);
	if (text && text[0])
		put_cell(out, label, text);
	else
		put_cell(out, label, figure_of(json_is_number(value) ? json_number_value(value) : NAN, unit).text);
}

static void put_interval(struct buffer *out, const json_t *metric)
{
	double low = report_number(metric, "low"), high = report_number(metric, "high");
	html_add(out, "<td class=\"wide\" data-label=\"interval\">%s to %s</td>", figure_change(low).text,
	         figure_change(high).text);
}

static void put_metric(struct buffer *out, const json_t *metric)
{
	const char *unit = report_text(metric, "unit"), *title = report_text(metric, "title");
	html_add(out, "<tr><th scope=\"row\">%s</th>", title[0] ? title : report_text(metric, "name"));
	put_cell(out, "A", figure_of(report_number(metric, "a"), unit).text);
	put_cell(out, "B", figure_of(report_number(metric, "b"), unit).text);
	put_cell(out, "change", figure_change(report_number(metric, "change")).text);
	put_interval(out, metric);
	html_add(out, "<td class=\"bar\" data-metric=\"%s\"></td></tr>\n", report_text(metric, "name"));
}

static void put_comparison(const struct report_documents *documents, struct buffer *out)
{
	double alpha = report_number(documents->compare, "alpha");
	struct figure confidence = figure_given(100 - 100 * (isfinite(alpha) ? alpha : 0.05), "%");
	size_t i;
	json_t *metric;
	html_add(out, "<table class=\"cards metrics\">\n<thead><tr><th scope=\"col\">Metric</th>");
	html_add(out, "<th scope=\"col\"><span class=\"arm a\">A</span> %s</th>", report_arm_label(documents, 0));
	html_add(out, "<th scope=\"col\"><span class=\"arm b\">B</span> %s</th>", report_arm_label(documents, 1));
	html_add(out, "<th scope=\"col\">Change</th><th scope=\"col\">%s interval</th>", confidence.text);
	buffer_add_text(out, "<th class=\"bar\" scope=\"col\"></th></tr></thead>\n<tbody>\n");
	json_array_foreach (report_at(documents->compare, "metrics"), i, metric)
		put_metric(out, metric);
	buffer_add_text(out, "</tbody></table>\n");
}

/* A run of one arm: no difference to show, but latency from both moments. */
static void put_latencies(const json_t *results, struct buffer *out)
{
	static const struct {
		const char *title, *member;
	} rows[] = {{"P50", "p50_ms"}, {"P95", "p95_ms"}, {"P99", "p99_ms"}, {"longest", "max_ms"}};
	buffer_add_text(
		out,
		"<table class=\"cards\">\n<thead><tr><th scope=\"col\">Latency</th><th scope=\"col\">from when it was due</th><th scope=\"col\">from when it was sent</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		html_add(out, "<tr><th scope=\"row\">%s</th>", rows[i].title);
		put_cell(out, "due",
		         figure_of(report_number(report_at(results, "corrected"), rows[i].member), "ms").text);
		put_cell(out, "sent", figure_of(report_number(report_at(results, "raw"), rows[i].member), "ms").text);
		buffer_add_text(out, "</tr>\n");
	}
	buffer_add_text(out, "</tbody></table>\n");
}

void report_put_metrics(const struct report_documents *documents, struct buffer *out)
{
	if (documents->compare)
		put_comparison(documents, out);
	else if (report_at(documents->run, "results.corrected"))
		put_latencies(report_at(documents->run, "results"), out);
}

static void put_criterion(struct buffer *out, const json_t *row)
{
	const char *unit = report_text(row, "unit"), *verdict = report_text(row, "verdict");
	const char *title = report_text(row, "title");
	html_add(out, "<tr><th scope=\"row\">%s</th>", title[0] ? title : report_text(row, "name"));
	put_value(out, "value", report_at(row, "value"), unit);
	put_value(out, "limit", report_at(row, "limit"), unit);
	put_value(out, "bound", report_at(row, "bound"), unit);
	html_add(out, "<td class=\"wide\" data-label=\"verdict\"><span class=\"tone %s\">%s</span></td></tr>\n",
	         report_tone(verdict), verdict);
}

void report_put_gate(const struct report_documents *documents, struct buffer *out)
{
	const json_t *rows = report_at(documents->gate, "rows");
	const char *next = report_text(documents->gate, "next");
	size_t i;
	json_t *row;
	if (json_array_size(rows) == 0)
		return;
	html_add(out, "<section>\n<h2>Gate</h2>\n<p>The criteria of <code>%s</code>. ",
	         report_text(documents->gate, "file"));
	buffer_add_text(
		out,
		"The bound is what the run certifies: the worst value that is still compatible with the measurement. A limit is met when the bound meets it.</p>\n"
		"<table class=\"cards\">\n<thead><tr><th scope=\"col\">Criterion</th><th "
		"scope=\"col\">Value</th><th scope=\"col\">Limit</th><th scope=\"col\">Bound</th><th "
		"scope=\"col\">Verdict</th></tr></thead>\n<tbody>\n");
	json_array_foreach (rows, i, row)
		put_criterion(out, row);
	buffer_add_text(out, "</tbody></table>\n");
	if (next[0])
		html_add(out, "<p><b>What to do next.</b> %s</p>\n", next);
	buffer_add_text(out, "</section>\n");
}
