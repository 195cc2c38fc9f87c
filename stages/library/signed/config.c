/*
 * Settings of stages that verify signatures; see config.h.
 */
#include "signed/config.h"

#include <string.h>
#include <strings.h>

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

const struct provider *signed_config_provider(const struct signed_config *config)
{
	return config->provider ? &providers[config->provider - 1] : NULL;
}

/* RFC 9110, 5.6.2: a token. Another name would wait for a header that no sender can send. */
static bool check_header_names(const struct signed_template *form, struct sluice_error *error)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const struct {
		const char *option, *name;
	} headers[] = {{"signature_header", form->signature_header},
	               {"timestamp_header", form->timestamp_header},
	               {"id_header", form->id_header}};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *name = unless_empty(headers[i].name);
		if (name && name[strspn(name, allowed)])
			return sluice_error_set(error, "template.%s: expected the name of a header, got \"%s\"",
			                        headers[i].option, name);
	}
	return true;
}

static bool is_signed(const struct signed_template *form, const char *placeholder)
{
	return strstr(form->signed_text, placeholder) != NULL;
}

static bool check_template(const struct signed_template *form, struct sluice_error *error)
{
	struct part parts[PARTS_MAX];
	struct sluice_error cause = {0};
	if (!unless_empty(form->signature_header))
		return sluice_error_set(error, "template.signature_header: expected the header with the signature");
	if (!check_header_names(form, error))
		return false;
	if (!scheme_split(form->signed_text, parts, &cause))
		return sluice_error_set(error, "template.signed: %s", cause.text);
	bool sent = unless_empty(form->timestamp_header) || unless_empty(form->timestamp_prefix);
	if (sent != is_signed(form, "{timestamp}"))
		return sluice_error_set(
			error, sent ? "template.signed: expected {timestamp} in it: an unsigned one proves nothing"
				    : "template.timestamp_header: expected the header with the {timestamp}");
	sent = unless_empty(form->id_header);
	if (sent != is_signed(form, "{id}"))
		return sluice_error_set(error,
		                        sent ? "template.signed: expected {id} in it: an unsigned one proves nothing"
		                             : "template.id_header: expected the header with the {id}");
	return true;
}

static struct scheme from_template(const struct signed_template *form, enum algorithm algorithm)
{
	return (struct scheme){
		.name = "template",
		.algorithm = algorithm,
		.headers = {{form->signature_header, unless_empty(form->timestamp_header),
	                     unless_empty(form->id_header)}},
		.signed_text = form->signed_text,
		.separator = unless_empty(form->separator),
		.prefix = form->prefix,
		.timestamp_prefix = unless_empty(form->timestamp_prefix),
		.digest = scheme_digest_names[form->digest],
		.encoding = (enum encoding)form->encoding,
		.key_encoding = (enum key_encoding)form->key_encoding,
		.unit_ns = scheme_units_ns[form->unit],
		.tolerance_ns = SCHEME_TOLERANCE_NS,
	};
}

static bool set_tolerance(struct scheme *scheme, int64_t tolerance_ns, struct sluice_error *error)
{
	if (tolerance_ns == 0)
		return true;
	if (!scheme->signed_text || !strstr(scheme->signed_text, "{timestamp}"))
		return sluice_error_set(error, "tolerance: the scheme signs no timestamp; remove it");
	if (tolerance_ns < scheme->unit_ns)
		return sluice_error_set(error, "tolerance: expected at least one unit of the timestamp, got less");
	scheme->tolerance_ns = tolerance_ns;
	return true;
}

bool signed_config_scheme(const struct signed_config *config, const struct scheme *named, enum algorithm algorithm,
                          struct scheme *scheme_out, struct sluice_error *error)
{
	const struct signed_template *form = &config->form;
	const struct provider *provider = signed_config_provider(config);
	if (provider)
		named = &provider->scheme;
	if (named && unless_empty(form->signature_header))
		return sluice_error_set(error, "template: %s %s has its own; %sset scheme: template to use it",
		                        provider ? "provider" : "scheme", named->name,
		                        provider ? "remove the provider and " : "");
	if (!named && !check_template(form, error))
		return false;
	*scheme_out = named ? *named : from_template(form, algorithm);
	return set_tolerance(scheme_out, config->tolerance.ns, error);
}

bool signed_scheme_covers(const struct scheme *scheme, const char *header)
{
	for (size_t i = 0; i < SCHEME_HEADER_SETS; i++) {
		const char *const names[] = {scheme->headers[i].timestamp, scheme->headers[i].id};
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			if (names[j] && strcasecmp(names[j], header) == 0)
				return true;
		}
	}
	return false;
}

bool signed_scheme_covers_id(const struct scheme *scheme)
{
	return scheme->signed_text && strstr(scheme->signed_text, "{id}");
}
