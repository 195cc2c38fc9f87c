/*
 * The auditor. The trail is read first and what it covers kept, 56 bytes an event; then the events go by in the order
 * of their ids, and so do the covers. Of the events only half a hash of each message id is kept, 24 bytes.
 */
#include "lab/judge/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/hex.h"
#include "lab/judge/pruning.h"

enum { COVER_SIZE = 8 + SLUICE_DIGEST_SIZE };

const struct audit_words audit_violation_words[AUDIT_VIOLATIONS] = {
	[AUDIT_GAP] = {"gap", "a position is missing or there twice"},
	[AUDIT_BROKEN_LINK] = {"broken_link", "it does not hold the hash of the row before"},
	[AUDIT_WRONG_HASH] = {"wrong_hash", "its hash is not that of its content"},
	[AUDIT_BAD_COVERS] = {"bad_covers", "what it covers cannot be read"},
	[AUDIT_CUT_TAIL] = {"cut_tail", "it was logged and is not in the trail"},
	[AUDIT_ALTERED_EVENT] = {"altered_event", "its content does not fit its digest"},
	[AUDIT_OTHER_EVENT] = {"other_event", "its digest is not the one the trail covers"},
	[AUDIT_UNCOVERED] = {"uncovered", "no row of the trail covers it"},
	[AUDIT_COVERED_TWICE] = {"covered_twice", "two rows of the trail cover it"},
	[AUDIT_STORED_TWICE] = {"stored_twice", "another event before it has its message id"},
	[AUDIT_MISSING_EVENT] = {"missing_event", "the trail covers it and it is not there"},
	[AUDIT_BAD_PRUNING] = {"bad_pruning", "the events it removed are not those that the trail covers"},
	[AUDIT_PRUNED_EVENT] = {"pruned_event", "the trail says that it was removed and it is there"},
};

struct cover {
	int64_t id;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	size_t chain; /* index into the result's heads */
	int64_t position;
	bool pruned;
};

/* Half of a SHA-256 is enough to know a message id by. */
struct known_id {
	uint8_t hash[SLUICE_DIGEST_SIZE / 2];
	int64_t record;
};

struct audit {
	struct audit_result *result;
	const struct audit_head *known;
	size_t known_count;
	audit_finding_fn each;
	void *context;

	struct cover *covers;
	size_t cover_count, cover_room;
	struct pruning *prunings;
	size_t next_cover; /* while the events go by */
	size_t head_room;

	struct known_id *ids; /* of the events, in their order */
	size_t id_count, id_room;
};

static void report(struct audit *audit, struct audit_finding finding)
{
	audit->result->violations[finding.violation]++;
	audit->result->violation_count++;
	if (audit->each)
		audit->each(audit->context, &finding);
}

static void report_row(struct audit *audit, enum audit_violation violation, const struct sluice_audit_row *row)
{
	report(audit, (struct audit_finding){.violation = violation, .writer = row->writer, .position = row->position});
}

static void report_cover(struct audit *audit, enum audit_violation violation, const struct cover *cover)
{
	const char *writer = audit->result->heads[cover->chain].writer;
	report(audit, (struct audit_finding){.violation = violation,
	                                     .event_id = cover->id,
	                                     .writer = {writer, strlen(writer)},
	                                     .position = cover->position});
}

static void report_event(struct audit *audit, enum audit_violation violation, int64_t id)
{
	report(audit, (struct audit_finding){.violation = violation, .event_id = id});
}

/* "Writer by writer" is the order of the trail: another name is another chain. */
static struct audit_head *head_of(struct audit *audit, struct sluice_bytes writer)
{
	struct audit_result *result = audit->result;
	char name[sizeof(result->heads->writer)] = "";
	memcpy(name, writer.data ? writer.data : "", writer.size < sizeof(name) ? writer.size : sizeof(name) - 1);
	if (result->head_count > 0 && strcmp(result->heads[result->head_count - 1].writer, name) == 0)
		return &result->heads[result->head_count - 1];
	if (result->head_count == audit->head_room) {
		audit->head_room = audit->head_room ? 2 * audit->head_room : 16;
		result->heads = must_realloc(result->heads, audit->head_room * sizeof(*result->heads));
	}
	struct audit_head *head = &result->heads[result->head_count++];
	*head = (struct audit_head){0};
	memcpy(head->writer, name, sizeof(name));
	return head;
}

static void keep_covers(struct audit *audit, const struct sluice_audit_row *row)
{
	if (pruning_is(row)) {
		struct pruning *pruning = pruning_keep(row, audit->prunings);
		pruning->chain = audit->result->head_count - 1;
		audit->prunings = pruning;
		return;
	}
	if (row->covers.size == 0 || row->covers.size % COVER_SIZE != 0) {
		report_row(audit, AUDIT_BAD_COVERS, row);
		return;
	}
	size_t count = row->covers.size / COVER_SIZE;
	if (audit->cover_count + count > audit->cover_room) {
		audit->cover_room = 2 * audit->cover_room + count;
		audit->covers = must_realloc(audit->covers, audit->cover_room * sizeof(*audit->covers));
	}
	const uint8_t *bytes = (const uint8_t *)row->covers.data;
	for (size_t i = 0; i < count; i++, bytes += COVER_SIZE) {
		struct cover *cover = &audit->covers[audit->cover_count++];
		uint64_t id = 0;
		for (int byte = 0; byte < 8; byte++)
			id = id << 8 | bytes[byte];
		*cover = (struct cover){
			.id = (int64_t)id, .chain = audit->result->head_count - 1, .position = row->position};
		memcpy(cover->digest, bytes + 8, SLUICE_DIGEST_SIZE);
	}
}

/* A logged head that lies on this row must be this row. */
static void compare_known(struct audit *audit, const struct audit_head *head)
{
	for (size_t i = 0; i < audit->known_count; i++) {
		const struct audit_head *known = &audit->known[i];
		if (known->position == head->position && strcmp(known->writer, head->writer) == 0 &&
		    memcmp(known->hash, head->hash, SLUICE_DIGEST_SIZE) != 0)
			report(audit, (struct audit_finding){.violation = AUDIT_CUT_TAIL,
			                                     .writer = {known->writer, strlen(known->writer)},
			                                     .position = known->position});
	}
}

/* After a row that does not fit, the chain goes on from what is there, so that one fault is reported once. */
static bool check_row(void *context, const struct sluice_audit_row *row)
{
	struct audit *audit = context;
	struct audit_head *head = head_of(audit, row->writer);
	uint8_t hash[SLUICE_DIGEST_SIZE];
	digest_audit_row(row, hash);
	audit->result->rows++;
	if (row->position != head->position + 1)
		report_row(audit, AUDIT_GAP, row);
	else if (memcmp(row->previous, head->hash, SLUICE_DIGEST_SIZE) != 0)
		report_row(audit, AUDIT_BROKEN_LINK, row);
	if (memcmp(row->hash, hash, SLUICE_DIGEST_SIZE) != 0)
		report_row(audit, AUDIT_WRONG_HASH, row);
	head->position = row->position;
	memcpy(head->hash, row->hash, SLUICE_DIGEST_SIZE);
	compare_known(audit, head);
	keep_covers(audit, row);
	return true;
}

static int64_t last_position(const struct audit_result *result, const char *writer)
{
	for (size_t i = 0; i < result->head_count; i++) {
		if (strcmp(result->heads[i].writer, writer) == 0)
			return result->heads[i].position;
	}
	return 0;
}

static void check_tails(struct audit *audit)
{
	for (size_t i = 0; i < audit->known_count; i++) {
		const struct audit_head *known = &audit->known[i];
		if (known->position > last_position(audit->result, known->writer))
			report(audit, (struct audit_finding){.violation = AUDIT_CUT_TAIL,
			                                     .writer = {known->writer, strlen(known->writer)},
			                                     .position = known->position});
	}
}

static int by_id(const void *a, const void *b)
{
	const struct cover *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

/* The covers are in order and each is looked at once; one of the id before is the second of its id. */
static void skip_cover(struct audit *audit)
{
	const struct cover *cover = &audit->covers[audit->next_cover];
	bool again = audit->next_cover > 0 && audit->covers[audit->next_cover - 1].id == cover->id;
	if (again)
		report_cover(audit, AUDIT_COVERED_TWICE, cover);
	else if (!cover->pruned)
		report_cover(audit, AUDIT_MISSING_EVENT, cover);
	audit->next_cover++;
}

static struct cover *find_cover(struct audit *audit, int64_t id)
{
	const struct cover wanted = {.id = id};
	return audit->cover_count ? bsearch(&wanted, audit->covers, audit->cover_count, sizeof(wanted), by_id) : NULL;
}

/* Marks what the pruning removed. False: it names an event that is not covered, or was removed before. */
static bool mark_pruned(struct audit *audit, const struct pruning *pruning, struct buffer *list)
{
	struct pruning_walk walk = {.pruning = pruning};
	while (pruning_next(&walk)) {
		struct cover *cover = find_cover(audit, walk.id);
		if (!cover || cover->pruned)
			return false;
		cover->pruned = true;
		audit->result->pruned++;
		pruning_add_cover(list, cover->id, cover->digest);
	}
	return walk.is_whole;
}

static void check_pruning(struct audit *audit, const struct pruning *pruning)
{
	struct audit_result *result = audit->result;
	struct buffer list = {0};
	const char *writer = result->heads[pruning->chain].writer;
	if (!mark_pruned(audit, pruning, &list) || !pruning_fits(pruning, &list))
		report(audit, (struct audit_finding){.violation = AUDIT_BAD_PRUNING,
		                                     .writer = {writer, strlen(writer)},
		                                     .position = pruning->position});
	if (!result->prunings++ || pruning->before_ns > result->pruned_before_ns)
		result->pruned_before_ns = pruning->before_ns;
	buffer_finish(&list);
}

static void keep_id(struct audit *audit, const struct sluice_record *record)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (!record->message_id.data)
		return;
	if (audit->id_count == audit->id_room) {
		audit->id_room = audit->id_room ? 2 * audit->id_room : 1024;
		audit->ids = must_realloc(audit->ids, audit->id_room * sizeof(*audit->ids));
	}
	struct known_id *id = &audit->ids[audit->id_count++];
	digest_bytes(record->message_id.data, record->message_id.size, digest);
	memcpy(id->hash, digest, sizeof(id->hash));
	id->record = record->id;
}

static int by_hash(const void *a, const void *b)
{
	const struct known_id *left = a, *right = b;
	int order = memcmp(left->hash, right->hash, sizeof(left->hash));
	return order ? order : (left->record > right->record) - (left->record < right->record);
}

static void check_ids(struct audit *audit)
{
	if (audit->id_count > 0)
		qsort(audit->ids, audit->id_count, sizeof(*audit->ids), by_hash);
	for (size_t i = 1; i < audit->id_count; i++) {
		if (memcmp(audit->ids[i - 1].hash, audit->ids[i].hash, sizeof(audit->ids[i].hash)) == 0)
			report_event(audit, AUDIT_STORED_TWICE, audit->ids[i].record);
	}
}

static bool check_event(void *context, const struct sluice_record *record)
{
	struct audit *audit = context;
	audit->result->events++;
	keep_id(audit, record);
	if (record->payload_rewritten) {
		audit->result->unproven++;
	} else {
		uint8_t digest[SLUICE_DIGEST_SIZE];
		digest_record(record, digest);
		if (memcmp(digest, record->digest, SLUICE_DIGEST_SIZE) != 0)
			report_event(audit, AUDIT_ALTERED_EVENT, record->id);
	}
	while (audit->next_cover < audit->cover_count && audit->covers[audit->next_cover].id < record->id)
		skip_cover(audit);
	if (audit->next_cover == audit->cover_count || audit->covers[audit->next_cover].id != record->id) {
		report_event(audit, AUDIT_UNCOVERED, record->id);
		return true;
	}
	const struct cover *cover = &audit->covers[audit->next_cover++];
	if (cover->pruned)
		report_cover(audit, AUDIT_PRUNED_EVENT, cover);
	else if (memcmp(cover->digest, record->digest, SLUICE_DIGEST_SIZE) != 0)
		report_cover(audit, AUDIT_OTHER_EVENT, cover);
	return true;
}

bool audit_verify(const struct audit_source *source, const struct audit_head *known, size_t known_count,
                  audit_finding_fn each, void *context, struct audit_result *result_out, struct sluice_error *error)
{
	*result_out = (struct audit_result){0};
	struct audit audit = {
		.result = result_out, .known = known, .known_count = known_count, .each = each, .context = context};
	bool ok = source->audit_scan(source->store, check_row, &audit, error);
	if (ok) {
		check_tails(&audit);
		if (audit.cover_count > 0)
			qsort(audit.covers, audit.cover_count, sizeof(*audit.covers), by_id);
		for (const struct pruning *pruning = audit.prunings; pruning; pruning = pruning->next)
			check_pruning(&audit, pruning);
		ok = source->scan(source->store, INT64_MIN, check_event, &audit, error);
	}
	while (ok && audit.next_cover < audit.cover_count)
		skip_cover(&audit);
	if (ok)
		check_ids(&audit);
	pruning_free(audit.prunings);
	free(audit.ids);
	free(audit.covers);
	return ok;
}

void audit_result_finish(struct audit_result *result)
{
	free(result->heads);
	*result = (struct audit_result){0};
}

bool audit_head_from_text(const char *text, struct audit_head *head_out)
{
	int used = 0;
	*head_out = (struct audit_head){0};
	return sscanf(text, "%63[^:]:%" SCNd64 ":%n", head_out->writer, &head_out->position, &used) == 2 && used > 0 &&
	       head_out->position > 0 && strlen(text + used) == 2 * SLUICE_DIGEST_SIZE &&
	       hex_read(text + used, 2 * SLUICE_DIGEST_SIZE, head_out->hash);
}
