/*
 * One request a row, as CSV or as JSON; and which format is written by whom.
 */
#include "lab/report/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "lab/report/export_formats.h"
#include "lab/run/parts.h"

const char *const export_format_names[EXPORT_FORMATS] = {
	[EXPORT_CSV] = "csv",
	[EXPORT_JSONL] = "jsonl",
	[EXPORT_PERFETTO] = "perfetto",
	[EXPORT_HGRM] = "hgrm",
};

bool export_format_from_text(const char *text, enum export_format *format_out)
{
	for (int i = 0; i < EXPORT_FORMATS; i++) {
		if (strcmp(text, export_format_names[i]) != 0)
			continue;
		*format_out = (enum export_format)i;
		return true;
	}
	return false;
}

/* One column of one request. */
struct cell {
	enum { CELL_EMPTY, CELL_COUNT, CELL_KEY, CELL_TIME } type;
	char name[48];
	uint64_t number; /* of COUNT and KEY */
	int64_t ns;
};

enum { CELLS_MAX = 16 + 2 * PARTS + EXPORT_SPANS_MAX };

struct row {
	struct cell cells[CELLS_MAX];
	size_t count;
};

static struct cell *add_cell(struct row *row, const char *name, const char *unit)
{
	struct cell *cell = &row->cells[row->count++];
	cell->type = CELL_EMPTY;
	(void)snprintf(cell->name, sizeof(cell->name), "%.40s%s", name, unit);
	return cell;
}

static void add_number(struct row *row, const char *name, uint64_t number, bool known)
{
	struct cell *cell = add_cell(row, name, "");
	cell->type = known ? CELL_COUNT : CELL_EMPTY;
	cell->number = number;
}

/* 64 bits do not fit a number of JSON as most read it. */
static void add_key(struct row *row, const char *name, uint64_t key)
{
	struct cell *cell = add_cell(row, name, "");
	cell->type = key ? CELL_KEY : CELL_EMPTY;
	cell->number = key;
}

static void add_time(struct row *row, const char *name, int64_t ns, bool known)
{
	struct cell *cell = add_cell(row, name, "_ms");
	cell->type = known ? CELL_TIME : CELL_EMPTY;
	cell->ns = ns;
}

static bool list_has(const struct export *export, const char *span)
{
	for (size_t i = 0; i < export->span_count; i++)
		if (strcmp(export->spans[i], span) == 0)
			return true;
	return false;
}

/* The spans that any arm names, each once. */
static void list_spans(struct export *export)
{
	for (size_t i = 0; i < export->arm_count; i++) {
		const struct trace_names *persist = &export->arms[i]->names[SLUICE_KIND_PERSIST];
		for (size_t at = 0; at < SLUICE_SPANS_MAX; at++)
			if (persist->spans[at][0] && !list_has(export, persist->spans[at]))
				export->spans[export->span_count++] = persist->spans[at];
	}
}

static void add_span(struct row *row, const char *span, const struct trace_record *record,
                     const struct trace_names *names)
{
	const struct trace_stage *persist = &record->stages[SLUICE_KIND_PERSIST];
	char name[40];
	size_t at = 0;
	while (at < SLUICE_SPANS_MAX && strcmp(names->spans[at], span) != 0)
		at++;
	bool known = at < SLUICE_SPANS_MAX && persist->work_ns >= 0;
	(void)snprintf(name, sizeof(name), "persist_%s", span);
	add_time(row, name, known ? persist->spans_ns[at] : 0, known);
}

/* Of the parts that are stages. */
static void add_processor(struct row *row, enum part part, int64_t ns)
{
	char name[40];
	if (part != PART_AUTH && part != PART_PARSE && part != PART_IDEMPOTENCY && part != PART_PERSIST)
		return;
	(void)snprintf(name, sizeof(name), "%s_processor", part_words[part].name);
	add_time(row, name, ns, ns >= 0);
}

static void fill_row(struct row *row, const struct export *export, const struct sample_arm *arm, size_t at)
{
	const struct trace_record *record = &arm->records[at];
	bool is_sent = parts_is_of_sender(record);
	struct parts parts;
	bool known = parts_of(record, &parts) == PARTS_KNOWN;
	row->count = 0;
	add_number(row, "number", record->number, is_sent);
	add_number(row, "arm", record->arm, true);
	add_number(row, "block", record->block, is_sent);
	add_number(row, "input", record->input, is_sent);
	add_key(row, "request_key", record->request);
	add_key(row, "message_key", record->message);
	add_number(row, "status", record->status, record->status > 0);
	add_number(row, "tries", record->tries, record->tries > 0);
	add_number(row, "attempts", record->attempts, record->attempts > 0);
	add_number(row, "batch_size", record->batch_size, record->batch_size > 0);
	add_time(row, "intended", record->intended_ns, export->samples->timed);
	add_time(row, "total", parts.total_ns, known);
	add_time(row, "raw", parts.raw_ns, known && is_sent);
	for (size_t i = 0; i < PARTS; i++)
		add_time(row, part_words[i].name, parts.ns[i], known && parts.ns[i] >= 0);
	for (size_t i = 0; i < export->span_count; i++)
		add_span(row, export->spans[i], record, &arm->names[SLUICE_KIND_PERSIST]);
	for (size_t i = 0; i < PARTS; i++)
		add_processor(row, (enum part)i, known ? parts.cpu_ns[i] : -1);
}

static void write_csv_cell(struct buffer *out, const struct cell *cell)
{
	if (cell->type == CELL_COUNT)
		buffer_printf(out, "%" PRIu64, cell->number);
	else if (cell->type == CELL_KEY)
		buffer_printf(out, "%016" PRIx64, cell->number);
	else if (cell->type == CELL_TIME)
		buffer_printf(out, "%.6f", (double)cell->ns / (double)NS_PER_MS);
}

static void write_csv_header(struct export *export, const struct row *row)
{
	for (size_t i = 0; i < row->count; i++)
		buffer_printf(&export->out, "%s%s", i > 0 ? "," : "", row->cells[i].name);
	buffer_add_text(&export->out, "\r\n");
}

static void write_csv_row(struct export *export, const struct row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		buffer_add_text(&export->out, i > 0 ? "," : "");
		write_csv_cell(&export->out, &row->cells[i]);
	}
	buffer_add_text(&export->out, "\r\n");
}

static void write_json_cell(struct json_writer *json, const struct cell *cell)
{
	char key[24];
	switch (cell->type) {
	case CELL_EMPTY:
		jsonw_null(json, cell->name);
		break;
	case CELL_COUNT:
		jsonw_int(json, cell->name, (int64_t)cell->number);
		break;
	case CELL_KEY:
		(void)snprintf(key, sizeof(key), "%016" PRIx64, cell->number);
		jsonw_text(json, cell->name, key);
		break;
	case CELL_TIME:
		jsonw_real(json, cell->name, (double)cell->ns / (double)NS_PER_MS, 6);
		break;
	}
}

static void write_json_row(struct export *export, const struct row *row)
{
	struct json_writer json = {.out = &export->out};
	jsonw_object(&json, NULL);
	for (size_t i = 0; i < row->count; i++)
		write_json_cell(&json, &row->cells[i]);
	jsonw_end_object(&json);
	buffer_add_text(&export->out, "\n");
}

/* The columns are the same in all rows; a row of nothing tells which. */
static void write_header(struct export *export)
{
	struct row row;
	struct trace_record nothing;
	trace_record_init(&nothing);
	struct sample_arm arm = {.records = &nothing, .count = 1};
	fill_row(&row, export, &arm, 0);
	write_csv_header(export, &row);
}

static void write_rows(struct export *export, void (*write_row)(struct export *export, const struct row *row))
{
	struct row row;
	for (size_t i = 0; i < export->arm_count; i++) {
		for (size_t at = 0; at < export->arms[i]->count; at++) {
			fill_row(&row, export, export->arms[i], at);
			write_row(export, &row);
			export_flush(export, false);
		}
	}
}

static bool write_csv(struct export *export, struct sluice_error *error)
{
	(void)error;
	write_header(export);
	write_rows(export, write_csv_row);
	return true;
}

static bool write_jsonl(struct export *export, struct sluice_error *error)
{
	(void)error;
	write_rows(export, write_json_row);
	return true;
}

void export_flush(struct export *export, bool all)
{
	enum { CHUNK = 1 << 16 };
	if (export->out.size == 0 || (!all && export->out.size < CHUNK))
		return;
	if (fwrite(export->out.data, export->out.size, 1, export->file) != 1 && !export->failure)
		export->failure = errno ? errno : EIO;
	buffer_empty(&export->out);
}

bool export_write(enum export_format format, const struct samples *samples, const struct sample_arm *const *arms,
                  size_t arm_count, FILE *file, struct sluice_error *error)
{
	static bool (*const writers[EXPORT_FORMATS])(struct export * export, struct sluice_error * error) = {
		[EXPORT_CSV] = write_csv,
		[EXPORT_JSONL] = write_jsonl,
		[EXPORT_PERFETTO] = export_perfetto,
		[EXPORT_HGRM] = export_hgrm,
	};
	struct export export = {.samples = samples, .arms = arms, .arm_count = arm_count, .file = file};
	list_spans(&export);
	bool written = writers[format](&export, error);
	export_flush(&export, true);
	if (fflush(file) != 0 && !export.failure)
		export.failure = errno;
	if (written && export.failure)
		written = sluice_error_set(error, "cannot write the export: %s", strerror(export.failure));
	buffer_finish(&export.out);
	return written;
}
