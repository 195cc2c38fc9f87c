/*
 * What stages that verify signatures are told alike: whose signatures, or of which form, and which handshakes are answered.
 */
#ifndef SIGNED_CONFIG_H
#define SIGNED_CONFIG_H

#include <stdbool.h>

#include <sluice/option.h>

#include "sign/provider.h"
#include "signed/handshakes.h"
#include "signed/origin.h"

struct signed_config {
	int provider; /* 0: none; else one more than its row */
	struct sluice_duration tolerance;
	struct handshake_config handshake;
	struct sluice_strings networks;
	struct signed_template {
		const char *signature_header, *timestamp_header, *id_header;
		const char *signed_text, *prefix, *separator, *timestamp_prefix;
		int digest, encoding, key_encoding, unit; /* the first and the third for HMAC alone */
	} form;
};

#define SIGNED_OPTIONS(type, member)                                                                                   \
	SLUICE_OPTION_CHOICE(type, member.provider, .name = "provider", .choices = provider_names, .fallback = "none", \
	                     .help = "the sender, whose scheme and handshakes are known; see `sluice providers`"),     \
		SLUICE_OPTION_DURATION(                                                                                \
			type, member.tolerance, .name = "tolerance",                                                   \
			.help = "how old a timestamp may be, or how far ahead; 0s: as the scheme says"),               \
		HANDSHAKE_OPTIONS(type, member.handshake), NETWORKS_OPTION(type, member.networks),                     \
		SLUICE_OPTION_STRING(type, member.form.signature_header, .name = "template.signature_header",          \
	                             .help = "the header with the signature"),                                         \
		SLUICE_OPTION_STRING(type, member.form.timestamp_header, .name = "template.timestamp_header",          \
	                             .help = "the header with the timestamp"),                                         \
		SLUICE_OPTION_STRING(type, member.form.id_header, .name = "template.id_header",                        \
	                             .help = "the header with the message id"),                                        \
		SLUICE_OPTION_STRING(                                                                                  \
			type, member.form.signed_text, .name = "template.signed", .fallback = "{body}",                \
			.help = "the signed text, made of {id}, {timestamp}, {body}, {method}, {url}, {form} and "     \
				"text between them"),                                                                  \
		SLUICE_OPTION_STRING(type, member.form.prefix, .name = "template.prefix", .fallback = "",              \
	                             .help = "the text before a signature"),                                           \
		SLUICE_OPTION_STRING(                                                                                  \
			type, member.form.separator, .name = "template.separator", .fallback = "",                     \
			.help = "the separator of entries in the signature header; empty: it has one entry"),          \
		SLUICE_OPTION_STRING(type, member.form.timestamp_prefix, .name = "template.timestamp_prefix",          \
	                             .help = "the text before the timestamp, if it is in the signature header"),       \
		SLUICE_OPTION_CHOICE(type, member.form.encoding, .name = "template.encoding",                          \
	                             .choices = encoding_names, .fallback = "hex",                                     \
	                             .help = "the encoding of the signature"),                                         \
		SLUICE_OPTION_CHOICE(type, member.form.unit, .name = "template.timestamp_unit",                        \
	                             .choices = scheme_unit_names, .fallback = "s",                                    \
	                             .help = "the unit of the timestamp, since 1970; rfc3339: a date")

/* The provider, NULL if none is named. */
const struct provider *signed_config_provider(const struct signed_config *config);

/* The scheme that all of it says. `named`: what the stage calls a scheme, NULL where it is the template's; a provider comes
 * before both. `algorithm`: that of a template. */
bool signed_config_scheme(const struct signed_config *config, const struct scheme *named, enum algorithm algorithm,
                          struct scheme *scheme_out, struct sluice_error *error);

/* Whether every request that passes proves the header of that name, by a scheme. */
bool signed_scheme_covers(const struct scheme *scheme, const char *header);
bool signed_scheme_covers_id(const struct scheme *scheme);

#endif
