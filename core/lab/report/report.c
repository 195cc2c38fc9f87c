/*
 * The report: parts written from the documents of a run, the documents themselves for the charts, and the files of
 * core/lab/report around them.
 *
 * The page may load nothing and run nothing but its own script, whose hash it names: so it is as private as the
 * directory it lies in, and a text in the documents stays a text.
 */
#include "lab/report/report.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/template.h"
#include "lab/report/flame.h"
#include "lab/report/report_parts.h"
#include "lab/run/run.h"

extern const struct template_file report_files[];

/* Absent is fine, unreadable is not. */
static bool read_document(const char *directory, const char *name, json_t **document_out, struct sluice_error *error)
{
	char *path = run_file(directory, name);
	bool is_there = access(path, F_OK) == 0;
	free(path);
	*document_out = is_there ? run_read_json(directory, name, error) : NULL;
	return !is_there || *document_out;
}

static bool read_flame(const char *directory, struct report_documents *documents, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	documents->flame = flame_read(directory, &cause);
	return !cause.text[0] || sluice_error_set(error, "%s", cause.text);
}

static bool read_documents(const char *directory, struct report_documents *documents, struct sluice_error *error)
{
	documents->run = run_read_json(directory, RUN_ABOUT, error);
	return documents->run && read_document(directory, RUN_COMPARE, &documents->compare, error) &&
	       read_document(directory, RUN_GATE, &documents->gate, error) &&
	       read_document(directory, RUN_VERIFY, &documents->verify, error) &&
	       read_flame(directory, documents, error);
}

static void free_documents(struct report_documents *documents)
{
	json_decref(documents->run);
	json_decref(documents->compare);
	json_decref(documents->gate);
	json_decref(documents->verify);
	json_decref(documents->flame);
}

static void put_style(const struct report_documents *documents, struct buffer *out)
{
	(void)documents;
	const struct template_file *style = template_find(report_files, "report.css");
	buffer_add(out, style->data, style->size);
}

static void put_script(const struct report_documents *documents, struct buffer *out)
{
	static const char *const names[] = {"report.js", "flame.js"};
	(void)documents;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct template_file *script = template_find(report_files, names[i]);
		buffer_add(out, script->data, script->size);
	}
}

/* As Content-Security-Policy wants it: the digest of what stands between the tags. */
static void put_script_hash(const struct report_documents *documents, struct buffer *out)
{
	struct buffer script = {0};
	uint8_t digest[SLUICE_DIGEST_SIZE];
	unsigned char text[SLUICE_DIGEST_SIZE * 2];
	put_script(documents, &script);
	digest_bytes(script.data, script.size, digest);
	buffer_finish(&script);
	(void)EVP_EncodeBlock(text, digest, sizeof(digest));
	buffer_printf(out, "sha256-%s", (const char *)text);
}

/* In a script element, only "<" can begin something else than data; in JSON it stands in strings alone, where it can be
 * written in another way. What is not ASCII is escaped too, U+2028 among it. */
static void put_data(const struct report_documents *documents, struct buffer *out)
{
	json_t *all = json_pack("{s:{s:O?,s:O?},s:O?,s:O?,s:O?}", "run", "arms",
	                        json_object_get(documents->run, "arms"), "results",
	                        json_object_get(documents->run, "results"), "compare", documents->compare, "gate",
	                        documents->gate, "flame", documents->flame);
	char *text = json_dumps(all, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	for (const char *at = text; *at;) {
		size_t plain = strcspn(at, "<");
		buffer_add(out, at, plain);
		at += plain;
		if (*at && at++)
			buffer_add_text(out, "\\u003c");
	}
	free(text);
	json_decref(all);
}

/* A word of report/report.html and who writes what stands there. */
static const struct part {
	const char *word;
	void (*put)(const struct report_documents *documents, struct buffer *out);
} parts[] = {
	{"TITLE", report_put_title},
	{"VERDICT", report_put_verdict},
	{"ABOUT", report_put_about},
	{"METRICS", report_put_metrics},
	{"GATE", report_put_gate},
	{"CORRECTNESS", report_put_correctness},
	{"PROCESSOR", report_put_processor},
	{"METHOD", report_put_method},
	{"FOOTER", report_put_footer},
	{"STYLE", put_style},
	{"SCRIPT", put_script},
	{"SCRIPT_HASH", put_script_hash},
	{"DATA", put_data},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void compose(const struct report_documents *documents, struct buffer *out)
{
	struct buffer texts[PARTS] = {{0}};
	struct template_word words[PARTS + 1] = {{0}};
	for (size_t i = 0; i < PARTS; i++) {
		parts[i].put(documents, &texts[i]);
		words[i] = (struct template_word){parts[i].word, texts[i].data ? texts[i].data : ""};
	}
	template_fill(template_find(report_files, "report.html"), words, out);
	for (size_t i = 0; i < PARTS; i++)
		buffer_finish(&texts[i]);
}

/* By way of a second file, so that nobody sees half of it. */
static bool write_page(const char *directory, const struct buffer *page, struct sluice_error *error)
{
	char *path = run_file(directory, RUN_REPORT), *draft = run_file(directory, RUN_REPORT ".part");
	FILE *file = file_create(draft);
	bool ok = file && fwrite(page->data, 1, page->size, file) == page->size;
	ok = file && fclose(file) == 0 && ok && rename(draft, path) == 0;
	if (!ok) {
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
		(void)unlink(draft);
	}
	free(draft);
	free(path);
	return ok;
}

bool report_write(const char *run_directory, struct sluice_error *error)
{
	return report_write_to(run_directory, run_directory, error);
}

bool report_write_to(const char *run_directory, const char *target, struct sluice_error *error)
{
	struct report_documents documents = {0};
	struct buffer page = {0};
	bool ok = read_documents(run_directory, &documents, error);
	if (ok) {
		compose(&documents, &page);
		ok = write_page(target, &page, error);
	}
	buffer_finish(&page);
	free_documents(&documents);
	return ok;
}
