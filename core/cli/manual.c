/*
 * Pages of subcommands; see manual.h.
 */
#include "cli/manual.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/roff.h"

void manual_page_name(const char *subcommand, char name[MANUAL_NAME_SIZE])
{
	(void)snprintf(name, MANUAL_NAME_SIZE, "sluice-%s", subcommand);
}

static bool write_file(const char *folder, const char *name, const char *mode, const struct buffer *text,
                       struct sluice_error *error)
{
	struct buffer path = {0};
	buffer_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(path.data, mode);
	bool ok = file && fwrite(text->data, 1, text->size, file) == text->size;
	ok = file && fclose(file) == 0 && ok;
	if (!ok)
		sluice_error_set(error, "%s: cannot be written: %s", path.data, strerror(errno));
	buffer_finish(&path);
	return ok;
}

bool manual_write_file(const char *folder, const char *name, const struct buffer *text, struct sluice_error *error)
{
	return write_file(folder, name, "we", text, error);
}

bool manual_extend_file(const char *folder, const char *name, const struct buffer *text, struct sluice_error *error)
{
	return write_file(folder, name, "ae", text, error);
}

/* "audit verify PIPELINE": what is typed as it stands is bold, what stands for something is not. */
static void write_synopsis(struct buffer *out, const char *usage)
{
	roff_heading(out, "SYNOPSIS");
	buffer_add_text(out, ".B sluice");
	const char *rest = usage;
	while (*rest >= 'a' && *rest <= 'z') {
		size_t size = strcspn(rest, " ");
		buffer_add_text(out, " ");
		roff_escape(out, rest, size);
		rest += size + (rest[size] == ' ');
	}
	buffer_add_text(out, "\n");
	if (*rest) {
		buffer_add_text(out, ".I ");
		roff_escape(out, rest, strlen(rest));
		buffer_add_text(out, "\n");
	}
	buffer_add_text(out, ".RI [ flags ]\n");
}

struct page_of_subcommand {
	const struct subcommand *subcommand;
	struct buffer *out;
};

static void write_subcommand_page(void *context, const struct command *command, const struct flag *flags, size_t count)
{
	const struct page_of_subcommand *page = context;
	struct buffer *out = page->out;
	char name[MANUAL_NAME_SIZE];
	manual_page_name(page->subcommand->name, name);
	roff_begin(out, name, 1, page->subcommand->about);
	write_synopsis(out, command->usage);
	roff_heading(out, "DESCRIPTION");
	roff_text(out, command->about);
	roff_heading(out, "OPTIONS");
	for (size_t i = 0; i < count; i++) {
		char flag[MANUAL_NAME_SIZE];
		(void)snprintf(flag, sizeof(flag), "--%s", flags[i].name);
		roff_item(out, flag, flags[i].value);
		roff_text(out, flags[i].help);
	}
	roff_heading(out, "EXAMPLES");
	roff_example(out, command->example);
	roff_heading(out, "SEE ALSO");
	roff_reference(out, "sluice", 1, false);
	roff_reference(out, "sluice-pipeline", 5, true);
}

bool manual_write_pages(const struct subcommand *subcommands, const char *folder, struct sluice_error *error)
{
	bool ok = true;
	for (const struct subcommand *each = subcommands; ok && each->name; each++) {
		if (!subcommand_is_described(each))
			continue;
		struct buffer page = {0};
		char name[MANUAL_NAME_SIZE], file[MANUAL_NAME_SIZE + 2];
		subcommand_describe(each, write_subcommand_page, &(struct page_of_subcommand){each, &page});
		manual_page_name(each->name, name);
		(void)snprintf(file, sizeof(file), "%s.1", name);
		ok = manual_write_file(folder, file, &page, error);
		buffer_finish(&page);
	}
	return ok;
}
