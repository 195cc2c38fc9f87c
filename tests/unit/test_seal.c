/* The seals of a bundle: nothing in it can be changed alone, and what follows from its samples cannot be changed at all. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "lab/report/report.h"
#include "lab/run/seal.h"
#include "support/bundle.h"
#include "support/unit.h"

static void read_all(const char *name, struct buffer *text)
{
	char piece[4096];
	size_t size;
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	buffer_empty(text);
	while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(text, piece, size);
	(void)fclose(file);
	free(path);
}

static void write_all(const char *name, const char *data, size_t size)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

/* Each returns whether there was such a thing to change. */
static bool change_byte(struct buffer *text)
{
	text->data[text->size / 2] ^= 1;
	return true;
}

static bool change_figure(struct buffer *text)
{
	for (size_t i = text->size / 3; i < text->size; i++)
		if (text->data[i] >= '0' && text->data[i] <= '8') {
			text->data[i]++;
			return true;
		}
	return false;
}

static bool remove_line(struct buffer *text)
{
	char *first = memchr(text->data, '\n', text->size);
	if (!first)
		return false;
	size_t size = (size_t)(first + 1 - text->data);
	memmove(text->data, first + 1, text->size - size);
	text->size -= size;
	return true;
}

static bool (*const changes[])(struct buffer *text) = {change_byte, change_figure, remove_line};

static const char *const bundle_files[] = {
	RUN_ABOUT,        RUN_REQUESTS,        RUN_INPUT,          RUN_VERIFY,         RUN_COMPARE,
	RUN_GATE,         RUN_GATE_FILE,       "samples.jsonl",    "effective-a.yaml", "effective-b.yaml",
	"effective.diff", "server-a.log",      "breakdown.json",   "database.json",    "utilization.json",
	"lineages.txt",   "error-budget.json", "idempotency.json", "ordering.json",    "changelog.json",
	"latency-a.hgrm", "latency-b.hgrm",    RUN_REPORT,
};

static void pack_all(void)
{
	static const char sample[] = "{\"at_ms\": 10.0, \"arm\": 0, \"gauges\": {\"webhook_queue_depth\": 3.0}}\n";
	write_all("samples.jsonl", sample, strlen(sample));
	write_all("effective-a.yaml", "pool: 10\n", strlen("pool: 10\n"));
	write_all("effective-b.yaml", "pool: 50\n", strlen("pool: 50\n"));
	write_all("server-a.log", "started 1\n", strlen("started 1\n"));
	judge_by_gate();
	pack();
	ck_assert_uint_eq(verify(), 0);
}

START_TEST(test_no_file_can_be_changed_alone_whatever_the_manifest_says)
{
	const char *name = bundle_files[_i];
	struct buffer original = {0}, changed = {0};
	pack_all();
	read_all(name, &original);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		buffer_empty(&changed);
		buffer_add(&changed, original.data, original.size);
		if (!changes[i](&changed))
			continue;
		write_all(name, changed.data, changed.size);
		hash_again();
		ck_assert_msg(verify() > 0, "change %zu of %s was not seen", i, name);
		write_all(name, original.data, original.size);
	}
	hash_again();
	ck_assert_uint_eq(verify(), 0);
	buffer_finish(&original);
	buffer_finish(&changed);
}
END_TEST

/* Who seals it again, too. */
static const char *const derived_files[] = {"breakdown.json", "database.json",     "utilization.json",
                                            "lineages.txt",   "error-budget.json", "idempotency.json",
                                            "ordering.json",  "changelog.json",    "latency-a.hgrm",
                                            "latency-b.hgrm", "effective.diff",    RUN_REPORT};

START_TEST(test_what_follows_is_made_again_whatever_the_seals_say)
{
	char fault[128];
	const char *name = derived_files[_i];
	struct buffer text = {0};
	pack_all();
	read_all(name, &text);
	if (!change_figure(&text))
		(void)change_byte(&text);
	write_all(name, text.data, text.size);
	ck_assert_msg(seal_file(folder, name, &error), "%s", error.text);
	hash_again();
	ck_assert_uint_eq(verify(), 1);
	(void)snprintf(fault, sizeof(fault), "%s: is not what follows from the other files\n", name);
	assert_fault(fault);
	buffer_finish(&text);
}
END_TEST

START_TEST(test_bundle_is_not_made_of_what_was_changed_after_the_run)
{
	pack_all();
	write_all("server-a.log", "started 2\n", strlen("started 2\n"));
	forget();
	ck_assert(!evidence_pack(folder, NULL, add_missing, NULL, &error));
	ck_assert_msg(strstr(error.text, "server-a.log: is not the file that run.json has the hash of") != NULL, "%s",
	              error.text);
}
END_TEST

static void edit_host(void)
{
	json_t *document = run_read_json(folder, RUN_ABOUT, &error);
	(void)json_object_set_new(json_object_get(document, "host"), "cpus", json_integer(64));
	ck_assert(run_write_json(folder, RUN_ABOUT, document, &error));
	json_decref(document);
}

START_TEST(test_nothing_is_sealed_over_a_run_that_was_changed)
{
	pack_all();
	edit_host();
	ck_assert(!seal_file(folder, RUN_GATE, &error));
	ck_assert_msg(strstr(error.text, "nothing is sealed over it") != NULL, "%s", error.text);
}
END_TEST

/* As a kill between the seal and the renaming leaves it. */
START_TEST(test_sealing_that_was_cut_short_is_brought_to_its_end)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	struct trace_header header;
	pack_all();
	json_t *document = run_read_json(folder, RUN_ABOUT, &error);
	(void)json_object_set_new(document, "later", json_true());
	ck_assert(run_write_json(folder, RUN_ABOUT ".sealed", document, &error));
	json_decref(document);
	char *pending = run_file(folder, RUN_ABOUT ".sealed"), *requests = run_file(folder, RUN_REQUESTS);
	ck_assert(digest_file(pending, digest, &error));
	FILE *file = fopen(requests, "r+b");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, offsetof(struct trace_header, seal), SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(digest, sizeof(header.seal), 1, file), 1);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_msg(seal_file(folder, RUN_GATE, &error), "%s", error.text);
	ck_assert(!is_there(RUN_ABOUT ".sealed"));
	document = run_read_json(folder, RUN_ABOUT, &error);
	ck_assert(json_is_true(json_object_get(document, "later")));
	json_decref(document);
	free(pending);
	free(requests);
}
END_TEST

START_TEST(test_report_of_a_part_is_not_sealed_again_when_it_was_changed)
{
	char *part = run_file(folder, "interim");
	ck_assert_int_eq(mkdir(part, 0777), 0);
	paired_save(&paired, part);
	ck_assert_msg(report_write(part, &error), "%s", error.text);
	pack();
	write_all("interim/" RUN_REPORT, "better\n", strlen("better\n"));
	forget();
	ck_assert(!evidence_pack(folder, NULL, add_missing, NULL, &error));
	ck_assert_msg(strstr(error.text, "interim/report.html: is not the file") != NULL, "%s", error.text);
	free(part);
}
END_TEST

START_TEST(test_without_the_input_nothing_is_said_to_follow)
{
	delete_file(RUN_INPUT);
	pack();
	ck_assert_uint_gt(verify(), 0);
	assert_fault("input.jsonl: ");
}
END_TEST

START_TEST(test_samples_of_an_arm_that_is_none_count_for_nothing)
{
	static const char sample[] = "{\"at_ms\": 10.0, \"arm\": 5, \"gauges\": {\"x\": 1.0}}\n";
	json_t *blocks = json_object_get(paired.run->about, "blocks");
	(void)json_array_append_new(blocks, json_pack("{s:i, s:f, s:f}", "arm", 5, "start_ms", 0.0, "end_ms", 1000.0));
	paired_save(&paired, folder);
	write_all("samples.jsonl", sample, strlen(sample));
	pack();
	ck_assert_uint_eq(verify(), 0);
}
END_TEST

START_TEST(test_a_link_is_not_written_through)
{
	char *link = run_file(folder, RUN_MANIFEST), *target = run_file(folder, ".precious");
	write_all(".precious", "mine\n", strlen("mine\n"));
	ck_assert_int_eq(symlink(target, link), 0);
	forget();
	ck_assert(!evidence_pack(folder, NULL, add_missing, NULL, &error));
	struct buffer text = {0};
	read_all(".precious", &text);
	ck_assert_uint_eq(text.size, strlen("mine\n"));
	buffer_finish(&text);
	free(link);
	free(target);
}
END_TEST

static void set_rules(const char *name, int rules)
{
	json_t *document = run_read_json(folder, name, &error);
	(void)json_object_set_new(document, "rules", json_integer(rules));
	(void)json_object_set_new(document, "sluice", json_string("0.0.9"));
	ck_assert(run_write_json(folder, name, document, &error));
	json_decref(document);
}

START_TEST(test_verdict_by_other_rules_is_refused_with_that_reason)
{
	pack();
	set_rules(RUN_COMPARE, RUN_RULES - 1);
	ck_assert_msg(seal_file(folder, RUN_COMPARE, &error), "%s", error.text);
	hash_again();
	ck_assert_uint_gt(verify(), 0);
	char fault[128];
	(void)snprintf(fault, sizeof(fault),
	               "compare.json: was made by Sluice 0.0.9, by rules %d: verify it with that one", RUN_RULES - 1);
	assert_fault(fault);
	ck_assert_msg(!strstr(said.data, "compare.json: is not"), "%s", said.data);
}
END_TEST

static void write_keys(const char *private_path, const char *public_path)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	FILE *secret = fopen(private_path, "w"), *open = fopen(public_path, "w");
	ck_assert(key && secret && open);
	ck_assert_int_eq(PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL), 1);
	ck_assert_int_eq(PEM_write_PUBKEY(open, key), 1);
	(void)fclose(secret);
	(void)fclose(open);
	EVP_PKEY_free(key);
}

static size_t verify_by(const char *key)
{
	size_t faults = 0;
	forget();
	ck_assert_msg(evidence_verify(folder, key, add_fault, NULL, &faults, &error), "%s", error.text);
	return faults;
}

START_TEST(test_signature_says_whose_bundle_it_is)
{
	char keys[4][96];
	static const char *const names[] = {"mine.pem", "mine-public.pem", "other.pem", "other-public.pem"};
	for (size_t i = 0; i < 4; i++) /* hidden files are no part of a bundle */
		(void)snprintf(keys[i], sizeof(keys[i]), "%s/.%s", folder, names[i]);
	write_keys(keys[0], keys[1]);
	write_keys(keys[2], keys[3]);
	pack();
	ck_assert_uint_eq(verify_by(keys[1]), 1);
	assert_fault("MANIFEST.sha256.sig: is missing");
	ck_assert_msg(evidence_pack(folder, keys[0], add_missing, NULL, &error), "%s", error.text);
	ck_assert_uint_eq(verify_by(keys[1]), 0);
	ck_assert_uint_eq(verify(), 0);
	ck_assert_uint_eq(verify_by(keys[3]), 1);
	assert_fault("MANIFEST.sha256.sig: is not the signature of this manifest by that key");
	size_t faults;
	ck_assert(!evidence_verify(folder, keys[0], add_fault, NULL, &faults, &error));
	ck_assert_msg(strstr(error.text, "expected a public key of ed25519") != NULL, "%s", error.text);
}
END_TEST

static void set_up_small(void)
{
	set_up_with(10);
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("seals");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, set_up_small, tear_down);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, test_no_file_can_be_changed_alone_whatever_the_manifest_says, 0,
	                    sizeof(bundle_files) / sizeof(bundle_files[0]));
	tcase_add_loop_test(all, test_what_follows_is_made_again_whatever_the_seals_say, 0,
	                    sizeof(derived_files) / sizeof(derived_files[0]));
	tcase_add_test(all, test_bundle_is_not_made_of_what_was_changed_after_the_run);
	tcase_add_test(all, test_nothing_is_sealed_over_a_run_that_was_changed);
	tcase_add_test(all, test_sealing_that_was_cut_short_is_brought_to_its_end);
	tcase_add_test(all, test_report_of_a_part_is_not_sealed_again_when_it_was_changed);
	tcase_add_test(all, test_without_the_input_nothing_is_said_to_follow);
	tcase_add_test(all, test_samples_of_an_arm_that_is_none_count_for_nothing);
	tcase_add_test(all, test_a_link_is_not_written_through);
	tcase_add_test(all, test_verdict_by_other_rules_is_refused_with_that_reason);
	tcase_add_test(all, test_signature_says_whose_bundle_it_is);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_seal, make_suite)
