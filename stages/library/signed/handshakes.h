/*
 * Answers verification handshakes in an auth stage, by the rows of sign/handshake.h.
 *
 *     if (handshakes_answer(&state->handshakes, &(struct handshake_request){.stage = stage, .event = event}, &verdict))
 *             return verdict;
 *     … verify …
 *     if (handshakes_answer(&state->handshakes, &(struct handshake_request){… .is_verified = true}, &verdict))
 *             return verdict;
 */
#ifndef SIGNED_HANDSHAKES_H
#define SIGNED_HANDSHAKES_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/option.h>
#include <sluice/stage.h>

#include "sign/handshake.h"
#include "signed/verify.h"

enum { HANDSHAKES_MAX = 8 };

/* What a pipeline says of them; the two options belong into the table of every stage that answers handshakes. */
struct handshake_config {
	struct sluice_strings names;
	const char *token; /* may be NULL */
};

#define HANDSHAKE_OPTIONS(type, member)                                                                                \
	SLUICE_OPTION_STRINGS(                                                                                         \
		type, member.names, .name = "handshake", .max = HANDSHAKES_MAX,                                        \
		.help = "the verification handshakes that are answered, by the sender's name; none: no one"),          \
		SLUICE_OPTION_STRING(type, member.token, .name = "verify_token", .flags = SLUICE_OPTION_SECRET,        \
	                             .help = "what the sender must prove to know in its handshake")

struct handshakes {
	const struct handshake *rows[HANDSHAKES_MAX];
	size_t count;
	const char *token;
};

/* `usual`: the handshakes of the provider, separated by commas, which count where the pipeline names none; may be NULL.
 * `has_secret`: whether the stage shares one with the sender. */
bool handshakes_init(struct handshakes *handshakes, const struct handshake_config *config, const char *usual,
                     bool has_secret, struct sluice_error *error);

struct handshake_request {
	struct sluice_stage *stage;
	struct sluice_event *event;
	bool is_verified; /* else only the handshakes are answered that need no signature */
	const struct verifier *verifier;
	size_t key; /* of it: what signed the request */
};

/* Whether the request was one; *verdict_out is then what the stage returns. Before verification, it is also true of a
 * request that no handshake explains and that is no POST: it is rejected. */
bool handshakes_answer(const struct handshakes *handshakes, const struct handshake_request *request,
                       enum sluice_verdict *verdict_out);

/* Whether one of them uses that method. */
bool handshakes_use(const struct handshakes *handshakes, const char *method);

#endif
