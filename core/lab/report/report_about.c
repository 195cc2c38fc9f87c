/* What was compared, on what and when; the hashes at the foot. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"

static void begin_row(struct buffer *out, const char *title)
{
	html_add(out, "<dt>%s</dt><dd>", title);
}

static void end_row(struct buffer *out)
{
	buffer_add_text(out, "</dd>\n");
}

static void put_overlays(const json_t *arm, struct buffer *out)
{
	const json_t *overlays = report_at(arm, "optimizations");
	size_t i;
	json_t *overlay;
	if (json_array_size(overlays) == 0)
		buffer_add_text(out, "no overlay");
	json_array_foreach (overlays, i, overlay)
		html_add(out, "%s<code>%s</code>", i > 0 ? ", " : "", json_string_value(overlay));
}

static void put_arm(const struct report_documents *documents, size_t i, const json_t *arm, struct buffer *out)
{
	const char *pipeline = report_text(arm, "pipeline"), *url = report_text(arm, "url");
	char mark[] = {(char)('a' + (i & 1)), '\0'};
	html_add(out, "<dt><span class=\"arm %s\">%s</span></dt><dd><b>%s</b>", mark, report_arm_letter(i),
	         report_arm_label(documents, i));
	if (pipeline[0]) {
		html_add(out, "<br><code>%s</code>, ", pipeline);
		put_overlays(arm, out);
	} else if (url[0]) {
		html_add(out, "<br><code>%s</code>", url);
	}
	end_row(out);
}

static void put_purpose(const json_t *run, struct buffer *out)
{
	const char *purpose = report_text(run, "about");
	if (!purpose[0])
		return;
	begin_row(out, "About");
	html_text(out, purpose);
	end_row(out);
}

static void put_load(const json_t *run, struct buffer *out)
{
	const json_t *schedule = report_at(run, "schedule");
	double rate = report_number(schedule, "rate");
	if (!schedule)
		return;
	begin_row(out, "Load");
	html_add(out, "%s requests, ", figure_count(report_number(schedule, "requests")).text);
	if (rate > 0)
		html_add(out, "%s a second (%s arrivals)", figure_given(rate, "").text,
		         report_text(schedule, "arrivals"));
	else
		buffer_add_text(out, "as fast as answers came");
	html_add(out, ", over %s connections", figure_count(report_number(schedule, "connections")).text);
	end_row(out);
}

static void put_blocks(const struct report_documents *documents, struct buffer *out)
{
	double pairs = report_number(documents->compare, "pairs");
	double seconds = report_number(documents->run, "schedule.block_seconds");
	if (!isfinite(pairs))
		return;
	begin_row(out, "Blocks");
	html_add(out, "%s pairs", figure_count(pairs).text);
	if (isfinite(seconds))
		html_add(out, " of blocks of %s", figure_given(seconds, "s").text);
	html_add(out, ", %s", report_text(documents->compare, "design"));
	end_row(out);
}

static void put_input(const json_t *run, struct buffer *out)
{
	const json_t *input = report_at(run, "input");
	const char *sign = report_text(run, "sign");
	if (!input)
		return;
	begin_row(out, "Input");
	html_add(out, "<code>%s</code>, %s webhooks", report_text(input, "file"),
	         figure_count(report_number(input, "lines")).text);
	if (sign[0])
		html_add(out, ", signed as %s", sign);
	end_row(out);
}

static void put_host(const json_t *run, struct buffer *out)
{
	const json_t *host = report_at(run, "host");
	if (!host)
		return;
	begin_row(out, "Host");
	html_add(out, "%s × %s, %s, %s", figure_count(report_number(host, "cpus")).text, report_text(host, "cpu"),
	         figure_of(report_number(host, "memory_bytes"), "bytes").text, report_text(host, "kernel"));
	end_row(out);
}

/* "2026-11-25T22:00:00.000000Z" as "2026-11-25 22:00:00 UTC". */
static void put_when(const json_t *run, struct buffer *out)
{
	const char *at = report_text(run, "started_at");
	char date[11] = "", hour[9] = "";
	if (sscanf(at, "%10[^T]T%8[0-9:]", date, hour) != 2)
		return;
	begin_row(out, "When");
	html_add(out, "%s %s UTC, for %s", date, hour, figure_of(report_number(run, "seconds"), "s").text);
	if (json_is_true(report_at(run, "interrupted")))
		buffer_add_text(out, ", then interrupted");
	end_row(out);
}

void report_put_about(const struct report_documents *documents, struct buffer *out)
{
	size_t i;
	json_t *arm;
	json_array_foreach (report_at(documents->run, "arms"), i, arm)
		put_arm(documents, i, arm, out);
	put_purpose(documents->run, out);
	put_load(documents->run, out);
	put_blocks(documents, out);
	put_input(documents->run, out);
	put_host(documents->run, out);
	put_when(documents->run, out);
}

static void put_hash(struct buffer *out, const char *name, const char *hash)
{
	if (hash[0])
		html_add(out, "<tr><th scope=\"row\">%s</th><td><code>%s</code></td></tr>\n", name, hash);
}

static void put_arm_hashes(size_t i, const json_t *arm, struct buffer *out)
{
	size_t number;
	json_t *stage;
	char name[160];
	(void)snprintf(name, sizeof(name), "%s: effective pipeline", report_arm_letter(i));
	put_hash(out, name, report_text(arm, "sha256"));
	json_array_foreach (report_at(arm, "stages"), number, stage) {
		(void)snprintf(name, sizeof(name), "%s: %s/%s %s", report_arm_letter(i), report_text(stage, "kind"),
		               report_text(stage, "name"), report_text(stage, "version"));
		put_hash(out, name, report_text(stage, "sha256"));
	}
}

void report_put_footer(const struct report_documents *documents, struct buffer *out)
{
	size_t i;
	json_t *arm;
	html_add(out, "<p>Sluice %s, from a run of <code>sluice %s</code>. SHA-256 of what was run:</p>\n",
	         report_text(documents->run, "sluice"), report_text(documents->run, "command"));
	buffer_add_text(out, "<div class=\"scroll\"><table class=\"hashes\">\n");
	put_hash(out, "input", report_text(documents->run, "input.sha256"));
	json_array_foreach (report_at(documents->run, "arms"), i, arm)
		put_arm_hashes(i, arm, out);
	buffer_add_text(out, "</table></div>\n");
}
