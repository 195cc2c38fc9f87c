/* Carried files and the words in them; see template.h. */
#include "base/template.h"

#include <assert.h>
#include <string.h>

const struct template_file *template_find(const struct template_file *files, const char *name)
{
	const struct template_file *file = files;
	while (file->name && strcmp(file->name, name) != 0)
		file++;
	assert(file->name);
	return file;
}

/* The word that begins behind an @, up to the next one. */
static const struct template_word *find_word(const struct template_word *words, const char *at, const char *end)
{
	const char *close = memchr(at, '@', (size_t)(end - at));
	for (; close && words->word; words++) {
		if (strlen(words->word) == (size_t)(close - at) && memcmp(words->word, at, (size_t)(close - at)) == 0)
			return words;
	}
	return NULL;
}

void template_fill(const struct template_file *file, const struct template_word *words, struct buffer *out)
{
	const char *at = (const char *)file->data, *end = at + file->size, *mark;
	while ((mark = memchr(at, '@', (size_t)(end - at)))) {
		const struct template_word *word = find_word(words, mark + 1, end);
		buffer_add(out, at, (size_t)(mark - at));
		at = mark + 1;
		if (!word) {
			buffer_add(out, mark, 1);
			continue;
		}
		at += strlen(word->word) + 1;
		buffer_add_text(out, word->text);
		if (at < end && *at == '\n' && out->size > 0 && out->data[out->size - 1] == '\n')
			at++;
	}
	buffer_add(out, at, (size_t)(end - at));
}
