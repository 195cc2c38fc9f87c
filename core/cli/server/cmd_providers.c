/*
 * sluice providers: the senders whose webhooks are known, by the table of core/sign.
 */
#include <stdio.h>
#include <string.h>

#include "base/json_writer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/provider_choice.h"

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static const char *const algorithm_names[] = {
	[ALGORITHM_HMAC] = "HMAC",
	[ALGORITHM_SECRET] = "secret",
	[ALGORITHM_BASIC] = "basic",
	[ALGORITHM_ED25519] = "Ed25519",
	[ALGORITHM_ECDSA_SHA256] = "ECDSA-SHA256",
	[ALGORITHM_RSA_SHA256] = "RSA-SHA256",
	[ALGORITHM_SNS] = "RSA-SHA256 of members of the body",
	[ALGORITHM_MESSAGE] = "HTTP Message Signature (RFC 9421)",
	[ALGORITHM_NONE] = "nothing",
};

/* "HMAC-SHA256 of {timestamp}.{body}" */
static void describe_proof(const struct scheme *scheme, struct buffer *out)
{
	buffer_add_text(out, algorithm_names[scheme->algorithm]);
	if (scheme->algorithm == ALGORITHM_HMAC) {
		buffer_add_text(out, "-");
		for (const char *c = scheme->digest; *c; c++)
			buffer_printf(out, "%c", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	}
	if (scheme->signed_text)
		buffer_printf(out, " of %s", scheme->signed_text);
}

enum { COLUMNS = 7 };

static const char *const titles[COLUMNS] = {"PROVIDER",  "AUTH",        "PROOF", "MESSAGE ID",
                                            "HANDSHAKE", "TRIES AGAIN", "VECTOR"};

/* The texts of a row; the proof is in the buffer. */
static void fill(const struct provider *provider, struct buffer *proof, const char *cells[COLUMNS])
{
	const char *signature = provider->scheme.example.signature;
	buffer_empty(proof);
	describe_proof(&provider->scheme, proof);
	cells[0] = provider->name;
	cells[1] = provider_stage(provider);
	cells[2] = proof->data;
	cells[3] = provider->message_id;
	cells[4] = or_dash(provider->handshake);
	cells[5] = or_dash(provider->retry);
	cells[6] = or_dash(signature);
}

static void print_row(const char *const cells[COLUMNS], const int widths[COLUMNS])
{
	for (int i = 0; i + 1 < COLUMNS; i++)
		(void)printf("%-*s  ", widths[i], cells[i]);
	(void)printf("%.24s\n", cells[COLUMNS - 1]);
}

static void print_table(void)
{
	int widths[COLUMNS];
	const char *cells[COLUMNS];
	struct buffer proof = {0};
	for (int i = 0; i < COLUMNS; i++)
		widths[i] = (int)strlen(titles[i]);
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		fill(&providers[i], &proof, cells);
		for (int j = 0; j < COLUMNS; j++)
			widths[j] = (int)strlen(cells[j]) > widths[j] ? (int)strlen(cells[j]) : widths[j];
	}
	print_row(titles, widths);
	for (size_t i = 0; i < PROVIDER_COUNT; i++) {
		fill(&providers[i], &proof, cells);
		print_row(cells, widths);
	}
	buffer_finish(&proof);
}

static void print_handshakes(void)
{
	for (size_t i = 0; i < HANDSHAKE_COUNT; i++)
		(void)printf("%-16s %-7s %s%s\n", handshake_rows[i].name, handshake_rows[i].method,
		             handshake_rows[i].about, handshake_rows[i].is_signed ? "; the request is signed" : "");
}

static void print_line(const char *name, const char *value)
{
	if (value)
		(void)printf("  %-14s %s\n", name, value);
}

/* Line ends, as in a key, are escaped. */
static void print_escaped(const char *name, const char *value)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	if (value) {
		jsonw_text(&json, NULL, value);
		print_line(name, text.data);
	}
	buffer_finish(&text);
}

static void print_one(const struct provider *provider)
{
	const struct scheme *scheme = &provider->scheme;
	const struct scheme_example *example = &scheme->example;
	struct buffer proof = {0};
	describe_proof(scheme, &proof);
	(void)printf("%s: %s\n", provider->name, provider->title);
	print_line("auth", provider_stage(provider));
	print_line("proof", proof.data);
	print_line("header", scheme->headers[0].signature);
	print_line("timestamp", scheme->headers[0].timestamp);
	print_line("message_id", provider->message_id);
	print_line("event_type", provider->event_type);
	print_line("batch", provider->batch);
	print_line("handshake", provider->handshake);
	print_line("tries again", provider->retry);
	print_line("secret", provider->secret);
	print_line("source", provider->source);
	if (example->secret)
		(void)printf("an example of it:\n");
	print_escaped(algorithm_is_public(scheme->algorithm) ? "key" : "secret", example->secret);
	print_line("url", example->url);
	print_line("id", example->id);
	print_line("timestamp", example->timestamp);
	print_line("signature", example->signature);
	print_escaped("body", example->body);
	buffer_finish(&proof);
}

static void write_example(struct json_writer *json, const struct scheme *scheme)
{
	const struct scheme_example *example = &scheme->example;
	if (!example->secret) {
		jsonw_null(json, "vector");
		return;
	}
	jsonw_object(json, "vector");
	jsonw_text(json, algorithm_is_public(scheme->algorithm) ? "key" : "secret", example->secret);
	jsonw_text(json, "url", example->url);
	jsonw_text(json, "id", example->id);
	jsonw_text(json, "timestamp", example->timestamp);
	jsonw_text(json, "signature", example->signature);
	jsonw_text(json, "body", example->body);
	jsonw_end_object(json);
}

static void write_provider(struct json_writer *json, const struct provider *provider)
{
	const struct scheme *scheme = &provider->scheme;
	struct buffer proof = {0};
	describe_proof(scheme, &proof);
	jsonw_object(json, NULL);
	jsonw_text(json, "name", provider->name);
	jsonw_text(json, "title", provider->title);
	jsonw_text(json, "auth", provider_stage(provider));
	jsonw_text(json, "proof", proof.data);
	jsonw_text(json, "signature_header", scheme->headers[0].signature);
	jsonw_text(json, "timestamp_header", scheme->headers[0].timestamp);
	jsonw_text(json, "timestamp_prefix", scheme->timestamp_prefix);
	jsonw_text(json, "id_header", scheme->headers[0].id);
	jsonw_text(json, "signed", scheme->signed_text);
	jsonw_text(json, "message_id", provider->message_id);
	jsonw_text(json, "event_type", provider->event_type);
	jsonw_text(json, "batch", provider->batch);
	jsonw_bool(json, "form", provider->is_form || provider->form_json);
	jsonw_text(json, "handshake", provider->handshake);
	jsonw_text(json, "tries_again", provider->retry);
	jsonw_text(json, "secret", provider->secret);
	jsonw_text(json, "source", provider->source);
	write_example(json, scheme);
	jsonw_end_object(json);
	buffer_finish(&proof);
}

static void print_json(const struct provider *only)
{
	struct buffer text = {0};
	struct json_writer json = {.out = &text};
	if (!only)
		jsonw_array(&json, NULL);
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if (!only || only == &providers[i])
			write_provider(&json, &providers[i]);
	if (!only)
		jsonw_end_array(&json);
	(void)printf("%s\n", text.data);
	buffer_finish(&text);
}

static void print(const struct provider *only, bool only_handshakes, bool json)
{
	if (only_handshakes)
		print_handshakes();
	else if (json)
		print_json(only);
	else if (only)
		print_one(only);
	else
		print_table();
}

int cmd_providers(int argc, char **argv)
{
	bool only_handshakes = false;
	const struct flag flags[] = {
		{"handshakes", NULL, "list the verification handshakes instead", &only_handshakes, NULL},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "providers [PROVIDER]",
		.about =
			"Lists the senders whose webhooks are known: how they prove themselves, where the message id is, which "
			"verification handshake they want, for how long they try again, and a signature that proves the "
			"row. With a PROVIDER, all of it. `provider: NAME` under auth takes a row. Exit status: 0, or 1 if "
			"there is no such PROVIDER.",
		.example = "sluice providers stripe",
		.flags = flags,
		.common = FLAGS_JSON,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct sluice_error error = {0};
	const struct provider *only = NULL;
	bool ok = arguments.operand_count == 0 || provider_choose(arguments.operands[0], &only, &error);
	if (ok)
		print(only, only_handshakes, arguments.json);
	else
		say(error.text);
	arguments_finish(&arguments);
	return ok ? STATUS_YES : STATUS_NO;
}
