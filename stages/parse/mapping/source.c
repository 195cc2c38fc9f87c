/*
 * Sources as a pipeline file writes them; see source.h.
 */
#include "source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 255 };

static const char header_mark[] = "header:", form_mark[] = "form:", signed_id[] = "auth:id", part[] = "part";

static bool is_header_name(const char *name)
{
	/* RFC 9110, 5.6.2: a token */
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return *name && name[strspn(name, allowed)] == '\0';
}

/* Resolves ~0 and ~1 of the token at `text`, which ends at a slash or the end; false if ~ stands before something else.
 */
static bool unescape(const char *text, size_t size, char *token, size_t *size_out)
{
	*size_out = 0;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		if (c == '~') {
			i++;
			if (i == size || (text[i] != '0' && text[i] != '1'))
				return false;
			c = text[i] == '0' ? '~' : '/';
		}
		token[(*size_out)++] = c;
	}
	return true;
}

/* RFC 6901: an index has digits only and no leading zero. */
static size_t read_index(struct sluice_bytes token)
{
	size_t index = 0;
	if (token.size == 0 || token.size > 9 || (token.size > 1 && token.data[0] == '0'))
		return SIZE_MAX;
	for (size_t i = 0; i < token.size; i++) {
		if (token.data[i] < '0' || token.data[i] > '9')
			return SIZE_MAX;
		index = index * 10 + (size_t)(token.data[i] - '0');
	}
	return index;
}

/* One block of memory: the tokens, their indexes, then their bytes. */
static bool parse_pointer(struct pointer *pointer, const char *text, struct sluice_error *error)
{
	size_t count = 0, size = strlen(text);
	for (const char *c = text; *c; c++)
		count += *c == '/';
	*pointer = (struct pointer){NULL, NULL, count};
	if (count == 0)
		return true;
	if (count > POINTER_TOKENS_MAX)
		return sluice_error_set(error, "expected a JSON Pointer of at most %d keys", POINTER_TOKENS_MAX);
	pointer->tokens = calloc(1, count * (sizeof(*pointer->tokens) + sizeof(*pointer->indexes)) + size);
	if (!pointer->tokens)
		return sluice_error_set(error, "no memory");
	pointer->indexes = (size_t *)(void *)(pointer->tokens + count);
	char *bytes = (char *)(pointer->indexes + count);
	for (size_t i = 0; i < count; i++) {
		size_t length = strcspn(++text, "/");
		struct sluice_bytes *token = &pointer->tokens[i];
		token->data = bytes;
		if (!unescape(text, length, bytes, &token->size))
			return sluice_error_set(error, "expected 0 or 1 after each ~ of a JSON Pointer");
		if (token->size > TOKEN_MAX)
			return sluice_error_set(error, "expected keys of at most %d bytes", TOKEN_MAX);
		pointer->indexes[i] = read_index(*token);
		bytes += token->size;
		text += length;
	}
	return true;
}

static bool begins_with(const char *text, const char *mark)
{
	return strncmp(text, mark, strlen(mark)) == 0;
}

static char *label_of(const struct source *source)
{
	char *label = NULL;
	const char *text = source->text;
	int size;
	if (source->kind == SOURCE_HEADER)
		size = asprintf(&label, "the header %s", source->name);
	else if (source->kind == SOURCE_FORM_FIELD)
		size = asprintf(&label, "the field %s", source->name);
	else if (source->kind == SOURCE_SIGNED_ID)
		size = asprintf(&label, "the signed id");
	else if (source->kind == SOURCE_PART)
		size = asprintf(&label, "the number of the event");
	else if (!*text)
		size = asprintf(&label, "the body");
	else
		size = asprintf(&label, "%s", strchr(text + 1, '/') ? text : text + 1);
	return size < 0 ? NULL : label;
}

/* Of a text that is in the source. */
static void parse(struct source *source, struct sluice_error *error)
{
	const char *text = source->text;
	if (strcmp(text, signed_id) == 0) {
		source->kind = SOURCE_SIGNED_ID;
	} else if (strcmp(text, part) == 0) {
		source->kind = SOURCE_PART;
	} else if (begins_with(text, header_mark)) {
		source->kind = SOURCE_HEADER;
		source->name = text + strlen(header_mark);
		if (!is_header_name(source->name))
			sluice_error_set(error, "expected the name of a header after \"header:\"");
	} else if (begins_with(text, form_mark)) {
		source->kind = SOURCE_FORM_FIELD;
		source->name = text + strlen(form_mark);
		if (!*source->name)
			sluice_error_set(error, "expected the name of a form's field after \"form:\"");
	} else if (*text && *text != '/') {
		sluice_error_set(error, "expected a JSON Pointer such as /%s, header:NAME or auth:id", text);
	} else {
		parse_pointer(&source->pointer, text, error);
	}
}

bool source_parse(struct source *source_out, const char *text, struct sluice_error *error)
{
	struct source source = {.kind = SOURCE_POINTER, .text = strdup(text)};
	struct sluice_error cause = {0};
	if (source.text)
		parse(&source, &cause);
	source.label = source.text ? label_of(&source) : NULL;
	if (!cause.text[0] && source.label) {
		*source_out = source;
		return true;
	}
	source_finish(&source);
	return sluice_error_set(error, "%s, got \"%s\"", cause.text[0] ? cause.text : "no memory", text);
}

void source_finish(struct source *source)
{
	free(source->pointer.tokens);
	free(source->text);
	free(source->label);
}
