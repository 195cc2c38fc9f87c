/* An event as a row of webhook_events or webhook_dead_letters. */
#ifndef POSTGRES_ROW_H
#define POSTGRES_ROW_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "array.h"
#include "connection.h"

enum { ROW_PAYLOAD = 4, ROW_RECEIVED_AT = 7, ROW_COLUMN_COUNT = 8 };

#define ROW_COLUMNS "message_id, event_type, stream, sequence, payload, digest, request_id, received_at"

/* Parameters $1 to $8, in the order of ROW_COLUMNS. */
void row_add(struct parameters *parameters, struct sluice_event *event, bool payload_is_text);

/* The same for many events, each parameter an array: false if there is no memory. The parameters borrow from the arrays,
 * which are to be freed by row_free_arrays(). */
bool row_add_all(struct parameters *parameters, struct array arrays[ROW_COLUMN_COUNT],
                 struct sluice_event *const *events, size_t count, bool payload_is_text);
bool row_add_ids(struct parameters *parameters, struct array *ids, struct sluice_event *const *events, size_t count);
void row_free_arrays(struct array arrays[ROW_COLUMN_COUNT]);

/* Whether the columns of a line, in the order of ROW_COLUMNS, are the event's; when it was received is not looked at, nor is
 * a payload that PostgreSQL writes in its own words. */
bool row_is_of(struct sluice_event *event, const PGresult *rows, int line, bool payload_is_exact);

/* Whether PostgreSQL can keep it at all; if not, the event has its reason. */
bool row_fits(struct sluice_event *event);

/* The verdict on an event whose message id is stored, by the digest and the request id in that row. One that an earlier
 * try of this very event has committed, without the answer coming through, is not a duplicate: the sender is to hear
 * that it was accepted. */
enum sluice_verdict row_compare(struct sluice_event *event, const uint8_t digest[SLUICE_DIGEST_SIZE],
                                struct sluice_bytes request_id);

/* Whether row_compare() is worth a look at the content: it says that there is a conflict, and the digests alone need not. */
bool row_may_be_same(const struct sluice_event *event);

/* The verdict on an event whose digest is another than that of the row with its message id, a line of find_content(). */
enum sluice_verdict row_compare_content(struct connection *connection, struct sluice_event *event, const PGresult *row);

/* The verdict on an event that was not inserted, and whose message id is not stored. */
enum sluice_verdict row_vanished(struct connection *connection, struct sluice_event *event);

#endif
