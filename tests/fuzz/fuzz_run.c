/*
 * A run directory that came from somebody else: whatever is in it, `evidence verify`, `gate` and `analyze` give a verdict or
 * a sentence, in bounded time and memory.
 *
 * An input is a byte that says which file of a bundle with a comparison and a gate is replaced, and what it is replaced by. The
 * mutator begins with the file as it is, and knows where numbers stand.
 */
#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "lab/gate/gate.h"
#include "lab/report/breakdown.h"
#include "lab/report/evidence.h"
#include "lab/report/manifest.h"
#include "lab/run/samples.h"
#include "support/paired.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static const char *const names[] = {RUN_REQUESTS, RUN_ABOUT,  RUN_COMPARE,  RUN_GATE,     RUN_INPUT,
                                    RUN_BASELINE, RUN_VERIFY, RUN_MANIFEST, RUN_GATE_FILE};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static const char gate_file[] = "gate: fuzz\noutcome: final\nrequires: { requests: 8, connections: 1 }\n"
				"criteria: { p99: 50ms, errors: 1%, violations: 0, baseline: not_worse }\n"
				"bands: { proceed: 15ms, conditional: 30ms, flag: 100ms }\n";

static const char baseline[] =
	"{\"format\":1,\"from\":\"x\",\"apart\":true,\"change\":0.1,\"low\":-0.1,\"high\":0.3,\"margin\":0.05}";

static char folder[] = "/dev/shm/sluice-fuzz-run-XXXXXX";
static struct buffer originals[NAMES];

static void ignore_fault(void *context, const char *file, const char *what)
{
	(void)context, (void)file, (void)what;
}

static void write_file(const char *name, const void *data, size_t size)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "we");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		abort();
	free(path);
}

static void read_file(const char *name, struct buffer *out)
{
	char *path = run_file(folder, name), piece[4096];
	FILE *file = fopen(path, "re");
	for (size_t size; file && (size = fread(piece, 1, sizeof(piece), file)) > 0;)
		buffer_add(out, piece, size);
	if (file)
		(void)fclose(file);
	free(path);
}

static void remove_folder(void)
{
	DIR *entries = opendir(folder);
	for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
		char *path = run_file(folder, entry->d_name);
		(void)unlink(path);
		free(path);
	}
	if (entries)
		(void)closedir(entries);
	(void)rmdir(folder);
}

/* What `sluice gate` leaves beside the run. */
static void save_gate(void)
{
	struct sluice_error error = {0};
	struct gate_spec spec;
	struct gate_facts facts;
	struct gate_result result;
	write_file(RUN_GATE_FILE, gate_file, sizeof(gate_file) - 1);
	char *path = run_file(folder, RUN_GATE_FILE);
	if (gate_spec_read(path, &spec, &error) && gate_measure(folder, NULL, &facts, &error)) {
		gate_judge(&spec, &facts, &result);
		json_t *document = gate_result_to_json(path, &spec, &facts, &result);
		(void)gate_record(folder, NULL, &facts, document, &error);
		json_decref(document);
	}
	free(path);
	if (error.text[0]) {
		(void)fprintf(stderr, "%s\n", error.text);
		abort();
	}
	gate_facts_finish(&facts);
	gate_spec_finish(&spec);
}

/* Its helpers belong to Check, which has to be running. */
START_TEST(save_comparison)
{
	struct paired paired;
	paired_init(&paired, 2, 4);
	paired_scale(&paired, 1, 0.7);
	paired_save(&paired, folder);
	paired_finish(&paired);
}
END_TEST

static void run_in_check(const TTest *test)
{
	Suite *suite = suite_create("bundle");
	TCase *only = tcase_create("bundle");
	tcase_add_test(only, test);
	suite_add_tcase(suite, only);
	SRunner *runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	if (srunner_ntests_failed(runner))
		abort();
	srunner_free(runner);
}

static void make_bundle(void)
{
	struct sluice_error error = {0};
	if (!mkdtemp(folder))
		abort();
	(void)atexit(remove_folder);
	run_in_check(save_comparison);
	write_file(RUN_BASELINE, baseline, sizeof(baseline) - 1);
	save_gate();
	if (!manifest_write(folder, &error))
		abort();
	for (size_t i = 0; i < NAMES; i++) {
		read_file(names[i], &originals[i]);
		if (!originals[i].size)
			abort();
	}
}

static void prepare(void)
{
	if (!originals[0].size)
		make_bundle();
}

static void analyze(void)
{
	struct sluice_error error = {0};
	struct samples samples;
	if (!samples_open(folder, NULL, &samples, &error))
		return;
	for (size_t i = 0; i < samples.arm_count; i++) {
		const struct sample_arm *arm = &samples.arms[i];
		struct analyze_result result;
		struct buffer text = {0};
		analyze_records(arm->records, arm->count, arm->names, &result);
		breakdown_write_text(&result, &text);
		json_decref(breakdown_to_json(&result));
		buffer_finish(&text);
	}
	samples_finish(&samples);
}

static void judge(void)
{
	struct sluice_error error = {0};
	struct gate_facts facts;
	(void)gate_measure(folder, NULL, &facts, &error);
	gate_facts_finish(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t faults = 0;
	struct sluice_error error = {0};
	prepare();
	if (size == 0)
		return 0;
	size_t file = data[0] % NAMES;
	write_file(names[file], data + 1, size - 1);
	(void)evidence_verify(folder, NULL, ignore_fault, NULL, &faults, &error);
	analyze();
	judge();
	write_file(names[file], originals[file].data, originals[file].size);
	return 0;
}

/* A value at the edge of some range, of 8 bytes or fewer. */
static uint64_t edge(unsigned seed)
{
	static const uint64_t edges[] = {
		0,         1,           UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT32_MAX,
		INT32_MAX, 0x80000000u, 0xffff,     1000,      100000000000000000u, 3600000000000u};
	return edges[seed % (sizeof(edges) / sizeof(edges[0]))] + seed / 16 % 3 - 1;
}

static void change_number(uint8_t *data, size_t size, unsigned seed)
{
	uint64_t value = edge(seed);
	size_t width = (size_t)1 << seed / 64 % 4;
	size_t places = (size - 1) / width;
	if (places)
		memcpy(data + 1 + seed / 256 % places * width, &value, width);
}

/* Another number in a text. */
static size_t change_text(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static const char *const numbers[] = {"-1",     "0",      "1e308",
	                                      "-1e308", "1e-308", "9223372036854775807",
	                                      "null",   "[]",     "18446744073709551615",
	                                      "{}",     "1e18",   "4294967296",
	                                      "0.5",    "\"\"",   "true"};
	const char *number = numbers[seed % (sizeof(numbers) / sizeof(numbers[0]))];
	size_t at = 1 + seed / 16 % size, end;
	while (at < size && (data[at] < '0' || data[at] > '9'))
		at++;
	for (end = at; end < size && ((data[end] >= '0' && data[end] <= '9') || data[end] == '.');)
		end++;
	size_t length = strlen(number);
	if (at >= size || size - (end - at) + length > max_size)
		return size;
	memmove(data + at + length, data + end, size - end);
	memcpy(data + at, number, length);
	return size - (end - at) + length;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	prepare();
	if (size < 2 || seed % 64 == 0) {
		size_t file = seed / 64 % NAMES;
		if (originals[file].size + 1 > max_size)
			return size;
		data[0] = (uint8_t)file;
		memcpy(data + 1, originals[file].data, originals[file].size);
		size = originals[file].size + 1;
	}
	unsigned more = seed * 2654435761u;
	switch (seed / 4096 % 3) {
	case 0:
		return 1 + LLVMFuzzerMutate(data + 1, size - 1, max_size - 1);
	case 1:
		change_number(data, size, more);
		return size;
	default:
		return change_text(data, size, max_size, more);
	}
}
