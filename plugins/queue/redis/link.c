/* The connection to Redis, by hiredis. After an error it is closed: what was under way is then unknown. */
#include "link.h"

#include <hiredis/hiredis.h>
#include <string.h>

static bool fail(struct link *link, struct sluice_error *error, const char *what)
{
	bool told = link->redis && link->redis->err;
	(void)sluice_error_set(error, "Redis: %s%s%s", what, told ? ": " : "", told ? link->redis->errstr : "");
	link_close(link);
	return false;
}

void link_close(struct link *link)
{
	if (link->redis)
		redisFree(link->redis);
	link->redis = NULL;
}

/* The next reply; an error of the server's is an error. */
static redisReply *read_reply(struct link *link, struct sluice_error *error)
{
	redisReply *reply = NULL;
	if (!link->redis || redisGetReply(link->redis, (void **)&reply) != REDIS_OK) {
		(void)fail(link, error, "no reply");
		return NULL;
	}
	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	(void)sluice_error_set(error, "Redis: %.100s", reply->str);
	freeReplyObject(reply);
	link_close(link);
	return NULL;
}

static bool read_and_forget(struct link *link, struct sluice_error *error)
{
	redisReply *reply = read_reply(link, error);
	if (reply)
		freeReplyObject(reply);
	return reply != NULL;
}

bool link_open(struct link *link, struct sluice_error *error)
{
	const struct link_address *address = link->address;
	struct timeval timeout = {.tv_sec = address->timeout_ms / 1000, .tv_usec = address->timeout_ms % 1000 * 1000};
	if (link->redis)
		return true;
	link->redis = redisConnectWithTimeout(address->host, address->port, timeout);
	if (!link->redis)
		return sluice_error_set(error, "Redis: out of memory");
	if (link->redis->err || redisSetTimeout(link->redis, timeout) != REDIS_OK)
		return fail(link, error, "cannot connect");
	if (!address->password[0])
		return true;
	return redisAppendCommand(link->redis, "AUTH %s", address->password) == REDIS_OK ? read_and_forget(link, error)
	                                                                                 : fail(link, error, "AUTH");
}

bool link_clear(struct link *link, struct sluice_error *error)
{
	return redisAppendCommand(link->redis, "DEL %s", link->address->key) == REDIS_OK ? read_and_forget(link, error)
	                                                                                 : fail(link, error, "DEL");
}

bool link_add(struct link *link, const void *id, size_t id_size, const void *body, size_t body_size)
{
	return link->redis && redisAppendCommand(link->redis, "XADD %s * id %b body %b", link->address->key, id,
	                                         id_size, body, body_size) == REDIS_OK;
}

bool link_read_added(struct link *link, char entry_id[ENTRY_ID_SIZE], struct sluice_error *error)
{
	redisReply *reply = read_reply(link, error);
	bool ok = reply && reply->type == REDIS_REPLY_STRING && (size_t)reply->len < ENTRY_ID_SIZE;
	if (ok)
		memcpy(entry_id, reply->str, (size_t)reply->len + 1);
	else if (reply)
		(void)fail(link, error, "XADD: a reply that is no entry's id");
	if (reply)
		freeReplyObject(reply);
	return ok;
}

bool link_delete(struct link *link, const char *entry_id)
{
	return link->redis && redisAppendCommand(link->redis, "XDEL %s %s", link->address->key, entry_id) == REDIS_OK;
}

bool link_read_deleted(struct link *link, struct sluice_error *error)
{
	return read_and_forget(link, error);
}
