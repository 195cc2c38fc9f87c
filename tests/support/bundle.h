/*
 * A bundle of a made-up comparison, packed, changed and verified. Included by the files that test it.
 */
#ifndef TESTS_BUNDLE_H
#define TESTS_BUNDLE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "lab/gate/gate.h"
#include "lab/report/evidence.h"
#include "lab/report/manifest.h"
#include "support/paired.h"
#include "support/scratch.h"

static char folder[SCRATCH_SIZE];
static struct paired paired;
static struct buffer said; /* what is missing, or what is at fault, a line each */
static struct sluice_error error;

/* requests: of each block. */
static inline void set_up_with(size_t requests)
{
	scratch_folder(folder);
	error.text[0] = '\0';
	paired_init(&paired, 6, requests);
	paired_scale(&paired, 1, 0.7);
	paired_save(&paired, folder);
}

static inline void set_up(void)
{
	set_up_with(100);
}

static inline void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	paired_finish(&paired);
	buffer_finish(&said);
}

static inline void add_missing(void *context, const char *what)
{
	(void)context;
	buffer_printf(&said, "%s\n", what);
}

static inline void add_fault(void *context, const char *file, const char *what)
{
	(void)context;
	buffer_printf(&said, "%s: %s\n", file, what);
}

static inline void forget(void)
{
	buffer_empty(&said);
	buffer_add_text(&said, "");
}

static inline void pack(void)
{
	forget();
	ck_assert_msg(evidence_pack(folder, NULL, add_missing, NULL, &error), "%s", error.text);
}

static inline size_t verify(void)
{
	size_t faults = 0;
	forget();
	ck_assert_msg(evidence_verify(folder, NULL, add_fault, NULL, &faults, &error), "%s", error.text);
	return faults;
}

static inline void assert_fault(const char *line)
{
	ck_assert_msg(strstr(said.data, line) != NULL, "no \"%s\" in:\n%s", line, said.data);
}

/* What who wants to deceive does: the change, and hashes that go with it. */
static inline void hash_again(void)
{
	ck_assert_msg(manifest_write(folder, &error), "%s", error.text);
}

static inline bool is_there(const char *name)
{
	char *path = run_file(folder, name);
	bool there = access(path, R_OK) == 0;
	free(path);
	return there;
}

static inline void delete_file(const char *name)
{
	char *path = run_file(folder, name);
	ck_assert_int_eq(unlink(path), 0);
	free(path);
}

static inline void flip_byte(const char *name, long at)
{
	char *path = run_file(folder, name);
	FILE *file = fopen(path, "r+b");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
	int byte = fgetc(file);
	ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
	ck_assert_int_ne(fputc(byte ^ 1, file), EOF);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

/* Sets a member two levels down. */
static inline void edit(const char *name, const char *object, const char *member, json_t *value)
{
	json_t *document = run_read_json(folder, name, &error);
	ck_assert_msg(document != NULL, "%s", error.text);
	ck_assert_int_eq(json_object_set_new(json_object_get(document, object), member, value), 0);
	ck_assert_msg(run_write_json(folder, name, document, &error), "%s", error.text);
	json_decref(document);
}

static inline void judge_by_gate(void)
{
	static const char file[] = TEST_SOURCE_DIR "/benchmarks/gates/gate-a.yaml";
	struct gate_spec spec;
	struct gate_facts facts;
	struct gate_result result;
	ck_assert_msg(gate_spec_read(file, &spec, &error), "%s", error.text);
	ck_assert_msg(gate_measure(folder, NULL, &facts, &error), "%s", error.text);
	gate_judge(&spec, &facts, &result);
	json_t *document = gate_result_to_json(file, &spec, &facts, &result);
	ck_assert_msg(gate_record(folder, NULL, &facts, document, &error), "%s", error.text);
	json_decref(document);
	gate_facts_finish(&facts);
	gate_spec_finish(&spec);
}

#endif
