/* Which store the server has for us. */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_TEXT_SIZE = CHAIN_WRITER_SIZE + 21 };

static bool announces(const struct identity *identity)
{
	return identity->stage->ops->kind == SLUICE_KIND_PERSIST && !identity->stage->read_only;
}

bool identity_init(struct identity *identity, struct sluice_stage *stage, size_t room)
{
	*identity = (struct identity){.stage = stage, .room = room, .heads = calloc(room, sizeof(*identity->heads))};
	if (!identity->heads)
		return false;
	(void)pthread_mutex_init(&identity->lock, NULL);
	return true;
}

void identity_finish(struct identity *identity)
{
	(void)pthread_mutex_destroy(&identity->lock);
	free(identity->heads);
}

void identity_note_commit(struct identity *identity, const struct chain *chain)
{
	(void)pthread_mutex_lock(&identity->lock);
	struct identity_head *head = &identity->heads[identity->next];
	memcpy(head->writer, chain->writer, sizeof(head->writer));
	head->position = chain->position;
	identity->next = (identity->next + 1) % identity->room;
	if (identity->count < identity->room)
		identity->count++;
	(void)pthread_mutex_unlock(&identity->lock);
}

/* Announced under the lock, so that a doubt is not overtaken by what was known before it. */
void identity_doubt(struct identity *identity)
{
	(void)pthread_mutex_lock(&identity->lock);
	identity->doubts++;
	if (announces(identity))
		sluice_announce_store(identity->stage, NULL);
	(void)pthread_mutex_unlock(&identity->lock);
}

bool identity_ask(struct identity *identity, struct identity_question *question)
{
	(void)pthread_mutex_lock(&identity->lock);
	*question = (struct identity_question){.count = identity->count, .doubts = identity->doubts};
	question->heads = calloc(identity->count + 1, HEAD_TEXT_SIZE);
	size_t used = 0;
	for (size_t i = 0; question->heads && i < identity->count; i++)
		used += (size_t)snprintf(question->heads + used, HEAD_TEXT_SIZE, "%s%s:%lld", i ? "," : "",
		                         identity->heads[i].writer, (long long)identity->heads[i].position);
	(void)pthread_mutex_unlock(&identity->lock);
	return question->heads != NULL;
}

static void note_loss(struct identity *identity, size_t lost, size_t asked)
{
	sluice_log(identity->stage, SLUICE_LOG_ERROR, "acknowledged_events_lost",
	           sluice_int("missing_of_last_commits", (int64_t)lost), sluice_int("last_commits", (int64_t)asked),
	           sluice_text("cause", "the database is older than it was: a restored backup, or a failover to a "
	                                "replica that lagged behind"));
	identity->losses++;
	identity->count = identity->next = 0;
}

void identity_hear(struct identity *identity, struct identity_question *question, const char *text, int64_t found)
{
	char whole[IDENTITY_SIZE];
	(void)pthread_mutex_lock(&identity->lock);
	if (text && question->doubts == identity->doubts) {
		if (found < (int64_t)question->count)
			note_loss(identity, question->count - (size_t)(found > 0 ? found : 0), question->count);
		(void)snprintf(whole, sizeof(whole), "%s %u", text, identity->losses);
		if (announces(identity))
			sluice_announce_store(identity->stage, whole);
	}
	(void)pthread_mutex_unlock(&identity->lock);
	free(question->heads);
}
