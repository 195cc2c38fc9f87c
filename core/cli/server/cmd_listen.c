/*
 * sluice listen: a pipeline for one of the senders that are known, and what to enter at its side.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/server/provider_choice.h"

static bool uses_url(const struct provider *provider)
{
	return provider->scheme.signed_text && strstr(provider->scheme.signed_text, "{url}");
}

/* Whether one of its handshakes is proven with a token. */
static bool uses_token(const struct provider *provider)
{
	for (size_t i = 0; provider->handshake && i < HANDSHAKE_COUNT; i++) {
		const char *found = strstr(provider->handshake, handshake_rows[i].name);
		size_t size = strlen(handshake_rows[i].name);
		bool is_it = found && (found == provider->handshake || found[-1] == ',') &&
		             (found[size] == '\0' || found[size] == ',');
		if (is_it && handshake_rows[i].token && !handshake_rows[i].token_is_optional)
			return true;
	}
	return false;
}

static const char *secret_variable(const struct provider *provider)
{
	return algorithm_is_public(provider->scheme.algorithm) ? "WEBHOOK_KEY" : "WEBHOOK_SECRET";
}

static void write_head(const struct provider *provider, const char *file, struct buffer *out)
{
	bool has_key = provider->scheme.algorithm != ALGORITHM_NONE;
	buffer_printf(out, "# Webhooks of %s.\n#\n#   %s%s%s%ssluice run %s\n#\n", provider->title,
	              has_key ? secret_variable(provider) : "", has_key ? "=… " : "",
	              uses_token(provider) ? "VERIFY_TOKEN=… " : "", uses_url(provider) ? "PUBLIC_URL=… " : "", file);
	buffer_printf(
		out,
		"# At the sender's side:\n#   the address  https://YOUR-HOST/webhooks, which a proxy with TLS hands "
		"on to the port below\n");
	if (provider->secret)
		buffer_printf(out, "#   the %s   %s\n",
		              algorithm_is_public(provider->scheme.algorithm) ? "key   " : "secret", provider->secret);
	if (provider->handshake)
		buffer_printf(out, "#   handshake    %s: answered here; start this before you enter the address\n",
		              provider->handshake);
	buffer_printf(out, "#   tries again  %s\n# Source: %s\n\n",
	              provider->retry ? provider->retry : "the sender's documentation does not say", provider->source);
}

static void write_auth(const struct provider *provider, struct buffer *out)
{
	const char *stage = provider_stage(provider);
	buffer_printf(out, "  - auth: %s\n", stage);
	if (strcmp(stage, "none") == 0)
		buffer_printf(out, "    handshake: [%s]\n", provider->handshake);
	else
		buffer_printf(out, "    provider: %s\n    %s: [\"${%s}\"]\n", provider->name,
		              algorithm_is_public(provider->scheme.algorithm) ? "keys" : "secrets",
		              secret_variable(provider));
	if (uses_token(provider))
		buffer_add_text(out, "    verify_token: \"${VERIFY_TOKEN}\"\n");
}

/* "a, b" as ["a", "b"]. */
static void write_sources(const char *name, const char *sources, struct buffer *out)
{
	buffer_printf(out, "    %s: [", name);
	for (const char *at = sources; at && *at;) {
		size_t size = strcspn(at, ",");
		buffer_printf(out, "%s\"%.*s\"", at == sources ? "" : ", ", (int)size, at);
		at += size;
		at += strspn(at, ", ");
	}
	buffer_add_text(out, "]\n");
}

static void write_parse(const struct provider *provider, struct buffer *out)
{
	buffer_printf(out, "\n  - parse: %s\n", provider->is_form || provider->form_json ? "form" : "json");
	if (provider->form_json)
		buffer_printf(out, "    form_json: %s\n", provider->form_json);
	if (provider->batch)
		buffer_printf(out, "    batch: \"%s\"\n", provider->batch);
	if (provider->integer_texts)
		buffer_add_text(out, "    integer_texts: true\n");
	write_sources("message_id", provider->message_id, out);
	write_sources("event_type", provider->event_type, out);
	buffer_add_text(out, "    payload: \"\"\n    stream: []\n    sequence: []\n");
}

static void write_pipeline(const struct provider *provider, const char *file, struct buffer *out)
{
	write_head(provider, file, out);
	buffer_printf(out, "pipeline: %s\n\nlisten:\n  address: 127.0.0.1\n  port: 5000\n", provider->name);
	if (uses_url(provider))
		buffer_add_text(
			out,
			"  public_url: \"${PUBLIC_URL}\"   # exactly the address entered at the sender's side: it is "
			"signed\n");
	buffer_add_text(out, "\nstages:\n");
	write_auth(provider, out);
	write_parse(provider, out);
	buffer_printf(out,
	              "\n  - idempotency: memory\n    ttl: 24h\n\n  - queue: memory\n    workers: 1\n\n  - persist: "
	              "sqlite\n    path: %s.db\n",
	              provider->name);
}

/* Never over a file that exists. */
static bool write_file(const char *path, const struct buffer *text, struct sluice_error *error)
{
	FILE *file = fopen(path, "wx");
	if (!file && errno == EEXIST)
		return sluice_error_set(error, "%s: exists already: name another file, or remove it", path);
	bool ok = file && fwrite(text->data, 1, text->size, file) == text->size;
	ok = file && fclose(file) == 0 && ok;
	return ok || sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
}

static bool write_out(const char *path, const struct buffer *text, struct sluice_error *error)
{
	if (path)
		return write_file(path, text, error);
	(void)fwrite(text->data, 1, text->size, stdout);
	return true;
}

int cmd_listen(int argc, char **argv)
{
	const char *output = NULL;
	const struct flag flags[] = {
		{"output", "FILE", "the file to create; default: standard output", NULL, &output},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "listen PROVIDER",
		.about =
			"Writes a pipeline that takes the webhooks of a sender, with what to enter at its side. `sluice providers` "
			"lists the senders that are known. A file that exists is never overwritten.",
		.example = "sluice listen github --output github.yaml",
		.flags = flags,
		.operands_min = 1,
		.operands_max = 1,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	struct sluice_error error = {0};
	struct buffer text = {0};
	const struct provider *provider;
	bool ok = provider_choose(arguments.operands[0], &provider, &error);
	if (ok) {
		write_pipeline(provider, output ? output : "FILE", &text);
		ok = write_out(output, &text, &error);
	}
	if (ok && output)
		(void)printf("%s: created; next: sluice check %s\n", output, output);
	if (!ok)
		say(error.text);
	buffer_finish(&text);
	arguments_finish(&arguments);
	return ok ? STATUS_YES : STATUS_CANNOT;
}
