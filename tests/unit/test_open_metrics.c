/* The metrics in the other format that scrapers may ask for. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/open_metrics.h"
#include "support/unit.h"

static const struct {
	const char *accept;
	bool is_accepted;
} accepts[] = {
	{NULL, false},
	{"", false},
	{"*/*", false},
	{"text/plain", false},
	{"application/openmetrics-text", true},
	{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
	{"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
         true},
	{"text/plain;q=1, application/openmetrics-text;q=0.5", false},
	{"application/openmetrics-text;q=0", false},
	{"application/openmetrics-textual", false},
};

START_TEST(test_who_asks_for_it_at_least_as_much_gets_it)
{
	ck_assert_int_eq(open_metrics_is_accepted(accepts[_i].accept), accepts[_i].is_accepted);
}
END_TEST

/* A traced request whose stages took so long. */
static struct lineage_entry entry_of(int64_t auth_ns, int64_t total_ns, uint8_t id)
{
	struct lineage_entry entry = {.trace = {.trace_id = {id}, .is_sampled = true}};
	entry.times.start_ns = NS_PER_S;
	entry.times.wall_ns = 1000 * NS_PER_S;
	entry.times.stages[SLUICE_KIND_AUTH].ran = true;
	entry.times.stages[SLUICE_KIND_AUTH].work_ns = auth_ns;
	entry.sent_ns = NS_PER_S + total_ns;
	return entry;
}

static const char text[] = "# HELP webhook_http_latency_by_stage_ms Time.\n"
			   "# TYPE webhook_http_latency_by_stage_ms histogram\n"
			   "webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"0.05\"} 1\n"
			   "webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"0.1\"} 1\n"
			   "webhook_http_latency_by_stage_ms_bucket{stage=\"total\",le=\"2000\"} 0\n"
			   "webhook_http_latency_by_stage_ms_bucket{stage=\"total\",le=\"+Inf\"} 1\n"
			   "webhook_http_latency_by_stage_ms_sum{stage=\"total\"} 3\n"
			   "# HELP webhook_requests_total Responses.\n"
			   "# TYPE webhook_requests_total counter\n"
			   "webhook_requests_total{status=\"202\"} 1\n"
			   "# HELP webhook_pipeline_info Running pipeline.\n"
			   "# TYPE webhook_pipeline_info gauge\n"
			   "webhook_pipeline_info{pipeline=\"p\"} 1\n";

static const char expected[] =
	"# HELP webhook_http_latency_by_stage_ms Time.\n"
	"# TYPE webhook_http_latency_by_stage_ms histogram\n"
	"webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"0.05\"} 1 # {trace_id=\"02000000000000000000000000000000\"} "
	"0.020000 1002.500\n"
	"webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"0.1\"} 1\n"
	"webhook_http_latency_by_stage_ms_bucket{stage=\"total\",le=\"2000\"} 0\n"
	"webhook_http_latency_by_stage_ms_bucket{stage=\"total\",le=\"+Inf\"} 1 # {trace_id=\"02000000000000000000000000000000\"} "
	"2500.000000 1002.500\n"
	"webhook_http_latency_by_stage_ms_sum{stage=\"total\"} 3\n"
	"# HELP webhook_requests Responses.\n"
	"# TYPE webhook_requests counter\n"
	"webhook_requests_total{status=\"202\"} 1\n"
	"# HELP webhook_pipeline Running pipeline.\n"
	"# TYPE webhook_pipeline info\n"
	"webhook_pipeline_info{pipeline=\"p\"} 1\n"
	"# EOF\n";

START_TEST(test_families_are_renamed_and_buckets_get_their_last_exemplar)
{
	struct exemplars exemplars;
	struct buffer in = {0}, out = {0};
	exemplars_init(&exemplars);
	const struct lineage_entry first = entry_of(10000, 2100 * NS_PER_MS, 1),
				   last = entry_of(20000, 2500 * NS_PER_MS, 2);
	exemplars_add(&exemplars, &first);
	exemplars_add(&exemplars, &last);
	buffer_add_text(&in, text);
	open_metrics_convert(&in, &exemplars, &out);
	ck_assert_str_eq(out.data, expected);
	buffer_finish(&in);
	buffer_finish(&out);
	exemplars_finish(&exemplars);
}
END_TEST

START_TEST(test_an_exemplar_lies_within_its_bucket)
{
	struct exemplars exemplars;
	struct exemplar exemplar;
	exemplars_init(&exemplars);
	for (size_t i = 0; i < EXEMPLAR_BOUNDS; i++) {
		const struct lineage_entry at = entry_of(0, (int64_t)(exemplar_bounds[i] * (double)NS_PER_MS), 1);
		exemplars_add(&exemplars, &at);
		ck_assert(exemplars_get(&exemplars, "total", i, &exemplar));
		ck_assert_double_le(exemplar.value_ms, exemplar_bounds[i]);
		ck_assert(i == 0 || exemplar.value_ms > exemplar_bounds[i - 1]);
	}
	ck_assert(!exemplars_get(&exemplars, "total", EXEMPLAR_BOUNDS, &exemplar));
	ck_assert(!exemplars_get(&exemplars, "persist", 0, &exemplar));
	ck_assert(!exemplars_get(&exemplars, "nothing", 0, &exemplar));
	exemplars_finish(&exemplars);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("open_metrics");
	TCase *all = tcase_create("all");
	tcase_add_loop_test(all, test_who_asks_for_it_at_least_as_much_gets_it, 0,
	                    sizeof(accepts) / sizeof(accepts[0]));
	tcase_add_test(all, test_families_are_renamed_and_buckets_get_their_last_exemplar);
	tcase_add_test(all, test_an_exemplar_lies_within_its_bucket);
	suite_add_tcase(s, all);
	return s;
}

UNIT_SUITE(test_open_metrics, suite)
