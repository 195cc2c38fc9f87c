/*
 * The tables. AUTOINCREMENT, because the audit trail speaks of ids, so none may ever be given out twice. The audit
 * trail is WITHOUT ROWID: its one key is (writer, position), and the guard against INSERT OR REPLACE, which SQLite does
 * not see as a DELETE, costs one look into the page that is written anyway.
 */
#include "schema.h"

#define EVENT_COLUMNS                                                                                                  \
	"event_type TEXT,"                                                                                             \
	"stream TEXT,"                                                                                                 \
	"sequence INTEGER,"                                                                                            \
	"payload BLOB NOT NULL,"                                                                                       \
	"digest BLOB NOT NULL CHECK (length(digest) = 32),"                                                            \
	"request_id TEXT NOT NULL,"                                                                                    \
	"received_at INTEGER NOT NULL"

#define REFUSE "BEGIN SELECT RAISE(ABORT, 'webhook_audit_trail is append-only'); END;"

static const char first_version[] =
	"CREATE TABLE webhook_events (id INTEGER PRIMARY KEY AUTOINCREMENT,message_id TEXT UNIQUE," EVENT_COLUMNS
	") STRICT;"

	"CREATE TABLE webhook_audit_trail (writer TEXT NOT NULL,position INTEGER NOT NULL,written_at "
	"INTEGER NOT NULL,covers BLOB NOT NULL,previous BLOB NOT NULL CHECK (length(previous) = 32),hash "
	"BLOB NOT NULL CHECK (length(hash) = 32),PRIMARY KEY (writer, position)) STRICT, WITHOUT ROWID;"

	"CREATE TRIGGER webhook_audit_trail_no_update BEFORE UPDATE ON webhook_audit_trail " REFUSE
	"CREATE TRIGGER webhook_audit_trail_no_delete BEFORE DELETE ON webhook_audit_trail " REFUSE
	"CREATE TRIGGER webhook_audit_trail_no_replace BEFORE INSERT ON webhook_audit_trail WHEN EXISTS (SELECT 1 FROM webhook_audit_trail WHERE writer = NEW.writer AND position = NEW.position) " REFUSE

	"CREATE TABLE webhook_dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT,message_id TEXT," EVENT_COLUMNS
	",reason TEXT NOT NULL,buried_at INTEGER NOT NULL,UNIQUE (message_id, digest)) STRICT;";

const char *const schema_steps[] = {first_version};
const int schema_version = sizeof(schema_steps) / sizeof(schema_steps[0]);
