/* Writes to the log, gathered. */
#include "gather.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "look.h"

enum { ROOM = (1 << 17) - 1 }; /* SQLite's own VFS writes no more at once */

bool gather_stands(struct disk *disk, bool restarts)
{
	disk_look_at_index(disk);
	(void)pthread_mutex_lock(&disk->lock);
	bool stands = look_index_stands(disk, restarts);
	(void)pthread_mutex_unlock(&disk->lock);
	if (!stands)
		disk_doubt(disk, "the WAL index (-shm) was overwritten by another program while in use", false);
	return stands;
}

static int write_now(struct handle *handle, const void *data, int size, int64_t at)
{
	struct disk *disk = handle->disk;
	if (!gather_stands(disk, at == 0))
		return SQLITE_IOERR_SHMMAP;
	(void)pthread_mutex_lock(&disk->lock);
	shadow_write(&disk->shadow, data, (size_t)size, at, wal_index_sizes(disk->index).brought_over);
	(void)pthread_mutex_unlock(&disk->lock);
	return handle->below->pMethods->xWrite(handle->below, data, size, at);
}

/* Without what an earlier transaction left. */
static struct gather *gather_of(struct handle *handle)
{
	struct gather *gather = &handle->gather;
	uint64_t transaction = atomic_load(&handle->disk->transaction);
	if (gather->transaction != transaction)
		*gather = (struct gather){.data = gather->data, .transaction = transaction};
	return gather;
}

static bool make_room(struct gather *gather)
{
	if (!gather->data)
		gather->data = malloc(ROOM);
	return gather->data;
}

/* Only pieces of frames that a transaction appends: what it has written before, it may correct in any order. */
static bool may_wait(struct gather *gather, int size, int64_t at)
{
	return gather->transaction % 2 == 1 && at >= gather->end && size <= ROOM &&
	       (gather->awaits_page || size == WAL_FRAME_HEADER_SIZE) && make_room(gather);
}

static bool ends_transaction(const void *header)
{
	uint32_t words[WAL_FRAME_HEADER_SIZE / 4];
	memcpy(words, header, sizeof(words));
	return words[1] != 0; /* pages of the database after it */
}

int gather_flush(struct handle *handle)
{
	struct gather *gather = gather_of(handle);
	int size = (int)gather->size;
	gather->size = 0;
	if (size > 0 && gather->failure == SQLITE_OK)
		gather->failure = write_now(handle, gather->data, size, gather->at);
	return gather->failure;
}

static int write_through(struct handle *handle, const void *data, int size, int64_t at)
{
	struct gather *gather = &handle->gather;
	gather->awaits_page = false;
	if (at + size > gather->end)
		gather->end = at + size;
	if (gather_flush(handle) == SQLITE_OK)
		gather->failure = write_now(handle, data, size, at);
	return gather->failure;
}

int gather_write(struct handle *handle, const void *data, int size, int64_t at)
{
	struct gather *gather = gather_of(handle);
	if (!may_wait(gather, size, at))
		return write_through(handle, data, size, at);
	bool joins = at == gather->at + (int64_t)gather->size && gather->size + (size_t)size <= ROOM;
	if (!joins && gather_flush(handle) != SQLITE_OK)
		return gather->failure;
	if (gather->size == 0)
		gather->at = at;
	memcpy(gather->data + gather->size, data, (size_t)size);
	gather->size += (size_t)size;
	gather->end = at + size;
	if (!gather->awaits_page)
		gather->commits = ends_transaction(data);
	gather->awaits_page = !gather->awaits_page;
	return !gather->awaits_page && gather->commits ? gather_flush(handle) : gather->failure;
}

void gather_finish(struct gather *gather)
{
	free(gather->data);
	*gather = (struct gather){0};
}
