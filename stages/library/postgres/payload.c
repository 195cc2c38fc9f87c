/* The three forms a payload can be kept in. */
#include "payload.h"

const struct payload_form payload_forms[] = {
	[PAYLOAD_BYTEA] = {"bytea", "$5", "payload", .exact = true},
	[PAYLOAD_JSON] = {"json", "$5::json", "payload::text", .takes_text = true, .exact = true},
	[PAYLOAD_JSONB] = {"jsonb", "$5::jsonb", "payload::text", .takes_text = true},
};
