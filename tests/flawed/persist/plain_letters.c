/* The dead letters of the plain store; the file is read anew for every call. */
#include "plain_letters.h"

#include <errno.h>
#include <stdio.h>

#include "plain_store.h"

#include "../frames.h"

enum { FRAME_REASON = 'R' };

/* An event, and the reason and the time in the frame behind it. */
struct reason_frame {
	struct frame frame;
	int64_t refused_at_ns;
};

/* The letter at *offset, which moves behind it. False: there is no more. */
static bool next_letter(const struct text *text, size_t *offset, struct sluice_letter *letter_out)
{
	struct frame event;
	struct reason_frame reason;
	if (!frame_at(text, *offset, &event) || !frame_read_event(text->data + *offset, &letter_out->record))
		return false;
	const char *at = text->data + *offset + event.size;
	memcpy(&reason, at, sizeof(reason));
	letter_out->reason = (struct sluice_bytes){at + sizeof(reason), (size_t)reason.frame.size - sizeof(reason)};
	letter_out->refused_at_ns = reason.refused_at_ns;
	*offset += (size_t)event.size + (size_t)reason.frame.size;
	return true;
}

static bool write_file(const char *path, const struct text *text, struct sluice_error *error)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fwrite(text->data, 1, text->size, file) == text->size && fflush(file) == 0 &&
	          fsync(fileno(file)) == 0;
	if (file)
		ok = fclose(file) == 0 && ok;
	return ok || sluice_error_set(error, "path: %s: %s", path, strerror(errno));
}

static void add(struct text *text, const struct sluice_letter *letter)
{
	struct reason_frame frame = {{FRAME_REASON, (int32_t)(sizeof(frame) + letter->reason.size)},
	                             letter->refused_at_ns};
	frame_write_event(text, &letter->record);
	text_add(text, &frame, sizeof(frame));
	text_add(text, letter->reason.data, letter->reason.size);
}

bool letters_add(const char *path, struct sluice_event *event, const char *reason, struct sluice_error *error)
{
	struct text text = {0};
	struct sluice_letter letter = {.record = {.id = 0}};
	size_t offset = 0;
	bool known = false;
	int64_t last_id = 0;
	(void)text_read_file(&text, path);
	for (; next_letter(&text, &offset, &letter); last_id = letter.record.id)
		known |= sluice_bytes_equal(letter.record.message_id, event->message_id);
	letter = (struct sluice_letter){.record = record_of(event, last_id + 1),
	                                .reason = {reason, flaw == FORGETS_THE_REASON ? 0 : strlen(reason)},
	                                .refused_at_ns = event->host->wall_ns()};
	if (!known)
		add(&text, &letter);
	bool ok = write_file(path, &text, error);
	free(text.data);
	return ok;
}

bool letters_scan(const char *path, int64_t after_id, sluice_letter_fn each, void *context, struct sluice_error *error)
{
	struct text text = {0};
	struct sluice_letter letter;
	size_t offset = 0;
	(void)error;
	(void)text_read_file(&text, path);
	while (next_letter(&text, &offset, &letter) && (letter.record.id <= after_id || each(context, &letter)))
		;
	free(text.data);
	return true;
}

bool letters_drop(const char *path, int64_t id, struct sluice_error *error)
{
	struct text text = {0}, kept = {0};
	struct sluice_letter letter;
	size_t offset = 0;
	(void)text_read_file(&text, path);
	while (next_letter(&text, &offset, &letter))
		if (letter.record.id != id && flaw != DROPS_ALL_THE_DEAD)
			add(&kept, &letter);
	bool ok = write_file(path, &kept, error);
	free(text.data);
	free(kept.data);
	return ok;
}
