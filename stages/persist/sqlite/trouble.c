/* Trouble. */
#include "trouble.h"

#include <stdio.h>
#include <string.h>

#include "database.h"

static void announce_new_name(struct sluice_stage *stage)
{
	uint8_t bytes[16];
	char name[2 * sizeof(bytes) + 1];
	stage->host->random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	sluice_announce_store(stage, name);
}

void trouble_init(struct trouble *trouble, struct sluice_stage *stage)
{
	*trouble = (struct trouble){.stage = stage};
	(void)pthread_mutex_init(&trouble->lock, NULL);
}

void trouble_finish(struct trouble *trouble)
{
	(void)pthread_mutex_destroy(&trouble->lock);
}

void trouble_begin(struct trouble *trouble, const char *cause)
{
	(void)pthread_mutex_lock(&trouble->lock);
	bool is_new = !trouble->text[0];
	(void)snprintf(trouble->text, sizeof(trouble->text), "%s", cause);
	(void)pthread_mutex_unlock(&trouble->lock);
	if (!is_new)
		return;
	sluice_log(trouble->stage, SLUICE_LOG_WARN, "commits_fail", sluice_text("cause", cause));
	sluice_announce_store(trouble->stage, NULL);
}

void trouble_end(struct trouble *trouble)
{
	(void)pthread_mutex_lock(&trouble->lock);
	bool was = trouble->text[0];
	trouble->text[0] = '\0';
	(void)pthread_mutex_unlock(&trouble->lock);
	if (!was)
		return;
	sluice_log(trouble->stage, SLUICE_LOG_INFO, "commits_succeed");
	announce_new_name(trouble->stage);
}

bool trouble_get(struct trouble *trouble, char text_out[TROUBLE_SIZE])
{
	(void)pthread_mutex_lock(&trouble->lock);
	memcpy(text_out, trouble->text, TROUBLE_SIZE);
	(void)pthread_mutex_unlock(&trouble->lock);
	return text_out[0] != '\0';
}

void trouble_rename_store(struct trouble *trouble, const char *why)
{
	sluice_log(trouble->stage, SLUICE_LOG_DEBUG, "store_renamed", sluice_text("cause", why));
	announce_new_name(trouble->stage);
}

static const struct meaning {
	int code;
	const char *words;
} meanings[] = {
	{SQLITE_BUSY, "another process holds the database locked"},
	{SQLITE_FULL, "the disk is full"},
	{SQLITE_READONLY, "the database can only be read"},
	{SQLITE_CORRUPT, "the database file is damaged"},
	{SQLITE_NOTADB, "the database file is damaged"},
	{SQLITE_IOERR, "the disk reports an error"},
};

/* SQLite says "full" of a table, too, whose highest id is the highest there is. */
static bool ids_are_used_up(sqlite3 *db)
{
	int64_t answer;
	return database_ask(db, "SELECT 1 FROM sqlite_sequence WHERE seq = 9223372036854775807", &answer, NULL);
}

void trouble_explain(sqlite3 *db, char text_out[TROUBLE_SIZE])
{
	int code = sqlite3_errcode(db), cause = (code & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(db) : 0;
	const char *words = NULL;
	if ((code & 0xff) == SQLITE_FULL && ids_are_used_up(db)) {
		(void)snprintf(
			text_out, TROUBLE_SIZE,
			"no id is left: a row of webhook_events or webhook_dead_letters has the highest there is");
		return;
	}
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == (code & 0xff))
			words = meanings[i].words;
	if (words)
		(void)snprintf(text_out, TROUBLE_SIZE, "%s (%s)", words,
		               cause ? strerror(cause) : sqlite3_errstr(code));
	else
		(void)snprintf(text_out, TROUBLE_SIZE, "%s", sqlite3_errmsg(db));
}
