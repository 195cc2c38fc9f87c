/* How it was measured, in words: what a reader must know to trust a figure, or not to. */
#include <math.h>
#include <string.h>

#include "lab/report/html.h"
#include "lab/report/report_parts.h"
#include "lab/run/figure.h"

static void begin(struct buffer *out, const char *title)
{
	html_add(out, "<p><b>%s</b> ", title);
}

static void end(struct buffer *out)
{
	buffer_add_text(out, "</p>\n");
}

static void put_load(const json_t *run, struct buffer *out)
{
	double rate = report_number(run, "schedule.rate");
	begin(out, rate > 0 ? "Open loop." : "Closed loop.");
	if (rate > 0)
		buffer_add_text(
			out,
			"When each request was due was fixed before the start and did not depend on how the server did. "
			"A due request waited for the one before it in its stream and for a free connection; none was "
			"dropped. Latency counts from when it was due, so a server that falls behind is charged for all "
			"that waits.");
	else
		buffer_add_text(
			out,
			"The next request went when an answer had come, so a slow server was sent less. The latencies say nothing about a rate that does not wait for the server.");
	end(out);
}

static void put_pairs(const struct report_documents *documents, struct buffer *out)
{
	double lives = report_number(documents->run, "comparison.lives");
	begin(out, "Pairs.");
	html_add(
		out,
		"A and B took turns in %s pairs of blocks. Chance decided which of the two came first in one pair, and the other "
		"came first in the next. ",
		figure_count(report_number(documents->compare, "pairs")).text);
	buffer_add_text(
		out,
		"Both blocks of a pair had the same schedule and the same payloads. A pair gives one difference. ");
	if (lives > 1)
		html_add(
			out,
			"They were spread over %s lives of both servers, each with fresh stores, and only the means of the lives "
			"count as observations.",
			figure_count(lives).text);
	else
		buffer_add_text(out,
		                "Only the pairs count as observations: requests of one block depend on each other.");
	end(out);
}

static void put_duet(struct buffer *out)
{
	begin(out, "Duet.");
	buffer_add_text(
		out,
		"Both servers ran at once and each request went to one of them by chance, so that whatever disturbed the machine disturbed both. This is fair only where the two do not disturb each other.");
	end(out);
}

static void put_interval(const json_t *compare, struct buffer *out)
{
	double alpha = report_number(compare, "alpha"), margin = report_number(compare, "margin");
	begin(out, "Intervals.");
	html_add(out, "Were the comparison repeated many times, %s of the intervals would hold the true change. ",
	         figure_given(100 - 100 * (isfinite(alpha) ? alpha : 0.05), "%").text);
	if (isfinite(margin))
		html_add(out, "Changes below %s count as no difference: the shaded margin. ",
		         figure_given(100 * margin, "%").text);
	buffer_add_text(
		out,
		"Better or worse is said when the whole interval lies on one side of zero and the change is at least the margin; equivalent, when the whole interval lies within the margin.");
	end(out);
}

static void put_looks(const json_t *looks, struct buffer *out)
{
	size_t i;
	json_t *look;
	if (json_array_size(looks) == 0)
		return;
	begin(out, "Looks.");
	buffer_add_text(out, "When to look was planned, and each look had its own, stricter threshold: ");
	json_array_foreach (looks, i, look) {
		html_add(out, "%safter %s pairs p = %s ", i > 0 ? ", " : "",
		         figure_count(report_number(look, "pairs")).text,
		         figure_given(report_number(look, "p"), "").text);
		html_add(out, "(to stop: %s)%s", figure_given(report_number(look, "threshold"), "").text,
		         json_is_true(report_at(look, "stopped")) ? ", and it stopped there" : "");
	}
	buffer_add_text(out, ".");
	end(out);
}

static void put_reasons(const json_t *generator, struct buffer *out)
{
	size_t i;
	json_t *reason;
	if (json_is_true(report_at(generator, "valid"))) {
		buffer_add_text(out, "That is little enough for the figures to be the server's.");
		return;
	}
	buffer_add_text(out, "<strong>The run is not valid:</strong> ");
	json_array_foreach (report_at(generator, "reasons"), i, reason)
		html_add(out, "%s%s", i > 0 ? "; " : "", json_string_value(reason));
	buffer_add_text(out, ".");
}

static void put_generator(const json_t *generator, struct buffer *out)
{
	if (!generator)
		return;
	begin(out, "The generator itself");
	html_add(out, "was late by %s at its P50, %s at its P95 and %s at its P99, ",
	         figure_of(report_number(generator, "lag_p50_ms"), "ms").text,
	         figure_of(report_number(generator, "lag_p95_ms"), "ms").text,
	         figure_of(report_number(generator, "lag_p99_ms"), "ms").text);
	html_add(out, "and used %s of the machine's processors. ",
	         figure_share(report_number(generator, "cpu_share")).text);
	put_reasons(generator, out);
	end(out);
}

/* Of B, or of the one arm there was. */
static void put_slowest(const json_t *counts, struct buffer *out)
{
	if (!counts)
		return;
	html_add(out, "Of the slowest %s requests, %s fell into such stalls. ",
	         figure_count(report_number(counts, "slowest")).text,
	         figure_count(report_number(counts, "slowest_in_stalls")).text);
}

static void put_host(const struct report_documents *documents, struct buffer *out)
{
	const json_t *host = report_at(documents->compare, "host"), *judged = report_at(documents->gate, "host");
	const json_t *known = json_is_object(host) ? host : judged;
	double dropped = report_number(documents->compare, "dropped");
	if (!json_is_object(known))
		return;
	begin(out, "The host");
	html_add(
		out,
		"was watched beside the server: every millisecond whether it wakes a process in time, ten times a second "
		"how long its disk takes. It stalled %s times for reasons that were not the server's. ",
		figure_count(report_number(known, "stalls")).text);
	put_slowest(json_is_object(judged) ? judged : json_array_get(report_at(host, "arms"), 1), out);
	if (dropped > 0)
		html_add(out, "%s pairs were left out for that, both arms of each. ", figure_count(dropped).text);
	buffer_add_text(out, "What counts as a stall, and when it is the server's own, was fixed before the run.");
	end(out);
}

void report_put_method(const struct report_documents *documents, struct buffer *out)
{
	const char *design = report_text(documents->compare, "design");
	put_load(documents->run, out);
	if (strcmp(design, "duet") == 0)
		put_duet(out);
	else if (documents->compare)
		put_pairs(documents, out);
	if (documents->compare)
		put_interval(documents->compare, out);
	put_looks(report_at(documents->compare, "looks"), out);
	put_generator(report_at(documents->run, "generator"), out);
	put_host(documents, out);
}
