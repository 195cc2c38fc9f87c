/* Figures. */
#include "figures.h"

#include <stdio.h>

static const struct figure {
	const char *name, *label, *label_value, *sql, *help;
} figures[] = {
	{"db_page_count", NULL, NULL, "PRAGMA page_count", "Pages of the database file."},
	{"db_page_bytes", NULL, NULL, "PRAGMA page_size", "Size of a page."},
	{"db_free_pages", NULL, NULL, "PRAGMA freelist_count", "Pages of the file that hold nothing."},
	{"db_table_rows", "relation", "webhook_events", "SELECT count(*) FROM webhook_events", "Rows of a table."},
	{"db_table_rows", "relation", "webhook_audit_trail", "SELECT count(*) FROM webhook_audit_trail",
         "Rows of a table."},
	{"db_table_rows", "relation", "webhook_dead_letters", "SELECT count(*) FROM webhook_dead_letters",
         "Rows of a table."},
};

static bool show_figures(struct reader *reader, struct sluice_observer *observer, struct sluice_error *error)
{
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		const struct figure *figure = &figures[i];
		struct sluice_error cause = {0};
		int64_t value;
		if (!database_ask(reader->db, figure->sql, &value, &cause))
			return sluice_error_set(error, "path: %s: %s", reader->config->path, cause.text);
		observer->gauge(observer, figure->name, figure->label, figure->label_value, (double)value,
		                figure->help);
	}
	return true;
}

static void show_sizes(const struct config *config, struct sluice_observer *observer)
{
	int64_t file, wal;
	database_sizes(config, &file, &wal);
	observer->gauge(observer, "db_size_bytes", NULL, NULL, (double)file, "Size of the database file.");
	observer->gauge(observer, "db_wal_bytes", NULL, NULL, (double)wal, "Size of the write-ahead log beside it.");
}

static void show_settings(const struct config *config, struct sluice_observer *observer)
{
	char checkpoint_size[24], wal_limit[24];
	(void)snprintf(checkpoint_size, sizeof(checkpoint_size), "%llu", (unsigned long long)config->checkpoint_size);
	(void)snprintf(wal_limit, sizeof(wal_limit), "%llu", (unsigned long long)config->wal_limit);
	const char *const settings[][2] = {
		{"sqlite_version", sqlite3_libversion()},
		{"journal_mode", "wal"}, /* database_open() takes no other */
		{"synchronous", synchronous_names[config->synchronous]},
		{"checkpoint_size", checkpoint_size},
		{"wal_limit", wal_limit},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		observer->text(observer, "db_setting", "setting", settings[i][0], settings[i][1],
		               "A setting of the database.");
}

bool figures_show(struct reader *reader, struct sluice_observer *observer, struct sluice_error *error)
{
	if (!show_figures(reader, observer, error))
		return false;
	show_sizes(reader->config, observer);
	show_settings(reader->config, observer);
	return reader_was_still(reader, error);
}
