/*
 * Names every type of the public headers, so that its debug information is the stage ABI: what `./dev lint` compares
 * with the snapshot of the last minor version beside this file.
 */
#include <sluice/stage.h>

/* Pointers: these may grow at their ends in a minor version. */
struct growing_types {
	struct sluice_stage_ops *ops;
	struct sluice_auth_ops *auth;
	struct sluice_parse_ops *parse;
	struct sluice_idempotency_ops *idempotency;
	struct sluice_queue_ops *queue;
	struct sluice_persist_ops *persist;
	struct sluice_option *option;
	struct sluice_host *host;
	struct sluice_event *event;
	struct sluice_batch *batch;
	struct sluice_stage *stage;
	struct sluice_worker *worker;
	struct sluice_observer *observer;
	enum sluice_kind *kind;
	enum sluice_parse_flags *parse_flags;
	enum sluice_queue_flags *queue_flags;
	enum sluice_option_type *option_type;
	enum sluice_option_flags *option_flags;
};

/* Members: these stay as they are for the whole major version, which their sizes give away. */
struct frozen_types {
	struct sluice_store_maintenance maintenance;
	struct sluice_extension extension;
	struct sluice_record record;
	struct sluice_audit_row audit_row;
	struct sluice_error error;
	struct sluice_duration duration;
	struct sluice_strings strings;
	struct sluice_bytes bytes;
	struct sluice_header header;
	struct sluice_field field;
	enum sluice_field_type field_type;
	enum sluice_log_level log_level;
	enum sluice_verdict verdict;
};

SLUICE_EXPORT struct growing_types growing_types;
SLUICE_EXPORT struct frozen_types frozen_types;
