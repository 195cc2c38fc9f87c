/* The schema, one step per version; `PRAGMA user_version` says how many a file has seen. */
#ifndef PERSIST_SQLITE_SCHEMA_H
#define PERSIST_SQLITE_SCHEMA_H

/* schema_steps[n] leads from version n to n + 1. A step that was released never changes. */
extern const char *const schema_steps[];
extern const int schema_version;

/* The triggers in it, as a list. */
#define OWN_TRIGGERS                                                                                                   \
	"'webhook_audit_trail_no_update', 'webhook_audit_trail_no_delete', 'webhook_audit_trail_no_replace'"

#endif
