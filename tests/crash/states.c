/* Every state that a crash can leave behind; see crash.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash/crash.h"

enum {
	PAGE = 4096,
	SECTOR = 512,
	SECTORS = PAGE / SECTOR,
	FILES = 512,
	PAGES = 4096,
	GOES_ON_EVERY = 16,
	MAPPED_MAX = 4096
};

/* A file: what was written, and what the disk surely has. */
struct file {
	char name[64];
	bool is_named, is_named_on_disk;
	char *now, *disk;
	size_t now_size, disk_size, room;
	/* By page. Doubtful: a sync failed, so a later one says nothing about it. */
	bool dirty[PAGES], doubtful[PAGES];
};

/* A page of which the disk may have something else, and the ways: each a set of sectors that are still the old ones. */
struct page {
	const struct file *file;
	size_t number;
	uint8_t ways[2 * SECTORS];
	size_t way_count;
};

/* A choice for up to two pages, and for everything. */
struct choice {
	const struct page *pages[2];
	uint8_t old[2];
	bool none_synced, names_as_synced, sizes_as_synced;
	const struct disk_op *mapped; /* NULL: absent */
};

struct states {
	const struct subject *subject;
	const char *folder;
	struct file files[FILES];
	unsigned file_count;
	struct promise promise;
	const struct disk_op *mapped[MAPPED_MAX]; /* what it may be, the oldest first */
	size_t mapped_count;
	uint32_t acknowledgements;
	bool done[EVENTS_MAX]; /* since the last operation */
	size_t operations;     /* so far */
	uint64_t number;
	struct selection selection;
	struct findings *findings;
};

void findings_note(struct findings *findings, enum finding finding, const char *format, ...)
{
	findings->counts[finding]++;
	if (findings->example[0])
		return;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(findings->example, sizeof(findings->example), format, arguments);
	va_end(arguments);
}

static void reserve(struct file *file, size_t size)
{
	if (size <= file->room)
		return;
	size_t room = (size + PAGE - 1) / PAGE * PAGE;
	file->now = realloc(file->now, room);
	file->disk = realloc(file->disk, room);
	if (!file->now || !file->disk || room / PAGE > PAGES)
		abort();
	memset(file->now + file->room, 0, room - file->room);
	memset(file->disk + file->room, 0, room - file->room);
	file->room = room;
}

static void apply_write(struct file *file, const struct disk_op *op)
{
	reserve(file, op->at + op->size);
	memcpy(file->now + op->at, op->data, op->size);
	if (op->at + op->size > file->now_size)
		file->now_size = op->at + op->size;
	for (size_t page = op->at / PAGE; page * PAGE < op->at + op->size; page++) {
		file->dirty[page] = true;
		file->doubtful[page] = false;
	}
}

static void apply_resize(struct file *file, size_t size)
{
	reserve(file, size);
	if (size < file->now_size)
		memset(file->now + size, 0, file->now_size - size);
	file->now_size = size;
}

static void apply_sync(struct file *file, bool failed)
{
	for (size_t page = 0; page * PAGE < file->room; page++) {
		file->doubtful[page] |= failed && file->dirty[page];
		if (!failed && file->dirty[page] && !file->doubtful[page])
			memcpy(file->disk + page * PAGE, file->now + page * PAGE, PAGE);
		file->dirty[page] = false;
	}
	if (!failed)
		file->disk_size = file->now_size;
}

static void copy_content(struct file *file, const struct file *from)
{
	if (from->room == 0)
		return;
	reserve(file, from->room);
	memcpy(file->now, from->now, from->room);
	memcpy(file->disk, from->disk, from->room);
	memcpy(file->dirty, from->dirty, sizeof(file->dirty));
	memcpy(file->doubtful, from->doubtful, sizeof(file->doubtful));
	file->now_size = from->now_size;
	file->disk_size = from->disk_size;
}

static struct file *find_name(struct states *states, const char *name)
{
	for (unsigned i = states->file_count; i-- > 0;)
		if (states->files[i].is_named && strcmp(states->files[i].name, name) == 0)
			return &states->files[i];
	return NULL;
}

static void apply(struct states *states, const struct disk_op *op)
{
	struct file *file = &states->files[op->file];
	switch (op->kind) {
	case DISK_CREATE:
	case DISK_LINK:
		if (op->file >= FILES)
			abort();
		states->file_count = op->file + 1;
		memcpy(file->name, op->name, sizeof(file->name));
		file->is_named = true;
		if (op->kind == DISK_LINK)
			copy_content(file, &states->files[op->from]);
		break;
	case DISK_WRITE:
		apply_write(file, op);
		break;
	case DISK_RESIZE:
		apply_resize(file, op->size);
		break;
	case DISK_SYNC:
	case DISK_SYNC_FAILED:
		apply_sync(file, op->kind == DISK_SYNC_FAILED);
		break;
	case DISK_SYNC_NAMES:
		for (unsigned i = 0; i < states->file_count; i++)
			states->files[i].is_named_on_disk = states->files[i].is_named;
		break;
	case DISK_UNLINK:
		file = find_name(states, op->name);
		if (file)
			file->is_named = false;
		break;
	case DISK_MAPPED:
	case DISK_SYNC_MAPPED:
	case DISK_NOTE:
		break;
	}
}

/* What was done since then may be on the disk or not, but is not required from now on. */
static void commit_done(struct states *states)
{
	for (unsigned i = 0; i < states->promise.events; i++)
		if (states->done[i])
			states->promise.required[i] = states->done[i] = false;
}

static void take_note(struct states *states, const struct disk_op *op)
{
	if (op->note == NOTE_DONE) {
		states->done[op->number] = true;
		return;
	}
	states->promise.required[op->number] = true;
	states->promise.acknowledged[op->number] = ++states->acknowledgements;
}

static void put_old_sectors(char *content, const struct page *page, uint8_t old)
{
	for (size_t sector = 0; sector < SECTORS; sector++) {
		size_t at = page->number * PAGE + sector * SECTOR;
		if (old >> sector & 1)
			memcpy(content + at, page->file->disk + at, SECTOR);
	}
}

static void write_file(const struct states *states, const struct file *file, const struct choice *choice)
{
	char path[600];
	static char content[PAGES * PAGE];
	bool is_old = choice->none_synced || !file->is_named;
	size_t size = is_old || choice->sizes_as_synced ? file->disk_size : file->now_size;
	if (size)
		memcpy(content, is_old ? file->disk : file->now, size);
	for (int i = 0; i < 2; i++)
		if (choice->pages[i] && choice->pages[i]->file == file)
			put_old_sectors(content, choice->pages[i], choice->old[i]);
	(void)snprintf(path, sizeof(path), "%s/%s", states->folder, file->name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, content, size) != (ssize_t)size || close(fd) != 0) {
		perror(path);
		exit(2);
	}
}

static void write_mapped(const struct states *states, const struct disk_op *mapped)
{
	char path[600];
	(void)snprintf(path, sizeof(path), "%s/%s", states->folder, mapped->name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, mapped->data, mapped->size) != (ssize_t)mapped->size || close(fd) != 0) {
		perror(path);
		exit(2);
	}
}

static void check(struct states *states, struct choice choice)
{
	unsigned relapses = states->selection.relapses;
	if (states->number++ % states->selection.shares != states->selection.share ||
	    (relapses && states->number / states->selection.shares % relapses != 0))
		return;
	folder_empty(states->folder);
	for (unsigned i = 0; i < states->file_count; i++) {
		const struct file *file = &states->files[i];
		if (choice.names_as_synced ? file->is_named_on_disk : file->is_named)
			write_file(states, file, &choice);
	}
	if (choice.mapped)
		write_mapped(states, choice.mapped);
	if (relapses) {
		(void)relapse_check(states->subject, states->folder, &states->promise, states->findings);
		return;
	}
	states->findings->states++;
	states->subject->check(states->folder, &states->promise,
	                       states->number / states->selection.shares % GOES_ON_EVERY == 0, states->findings);
}

static void add_way(struct page *page, uint8_t old)
{
	for (size_t i = 0; i < page->way_count; i++)
		if (page->ways[i] == old)
			return;
	if (old)
		page->ways[page->way_count++] = old;
}

/* False: whatever the disk has of it, it is the same. */
static bool find_ways(struct page *page)
{
	uint8_t differs = 0;
	for (size_t sector = 0; sector < SECTORS; sector++) {
		size_t at = page->number * PAGE + sector * SECTOR;
		if (memcmp(page->file->now + at, page->file->disk + at, SECTOR) != 0)
			differs = (uint8_t)(differs | 1u << sector);
	}
	page->way_count = 0;
	for (unsigned sectors = 0; sectors < SECTORS; sectors++) {
		uint8_t first = (uint8_t)((1u << sectors) - 1);
		add_way(page, differs & (uint8_t)~first); /* none, or the first sectors, were written */
		add_way(page, differs & first);           /* or the others */
	}
	return page->way_count > 0;
}

static size_t find_pages(const struct states *states, struct page *pages_out, size_t max)
{
	size_t count = 0;
	for (unsigned i = 0; i < states->file_count; i++) {
		const struct file *file = &states->files[i];
		for (size_t page = 0; file->is_named && page * PAGE < file->room && count < max; page++) {
			pages_out[count] = (struct page){.file = file, .number = page};
			count += (file->dirty[page] || file->doubtful[page]) && find_ways(&pages_out[count]);
		}
	}
	return count;
}

static size_t count_choices(const struct page *pages, size_t count)
{
	size_t choices = 0, ways = 0;
	for (size_t i = 0; i < count; i++) {
		choices += pages[i].way_count * (1 + ways);
		ways += pages[i].way_count;
	}
	return choices;
}

/* Every so many choices one, and others after the next operation. */
struct thinning {
	size_t step, next;
};

static void check_one_of(struct states *states, struct thinning *thinning, struct choice choice)
{
	if (thinning->next++ % thinning->step == 0)
		check(states, choice);
}

static void check_pages(struct states *states)
{
	struct page pages[64];
	size_t count = find_pages(states, pages, 64), max = states->selection.pages_max;
	struct thinning thinning = {.step = max ? count_choices(pages, count) / max + 1 : 1,
	                            .next = states->operations};
	for (size_t a = 0; a < count; a++)
		for (size_t way_a = 0; way_a < pages[a].way_count; way_a++) {
			struct choice choice = {.pages = {&pages[a], NULL}, .old = {pages[a].ways[way_a], 0}};
			check_one_of(states, &thinning, choice);
			for (size_t b = a + 1; b < count; b++)
				for (size_t way_b = 0; way_b < pages[b].way_count; way_b++) {
					choice.pages[1] = &pages[b];
					choice.old[1] = pages[b].ways[way_b];
					check_one_of(states, &thinning, choice);
				}
		}
}

/* The oldest, the newest, and one after another of those between. */
static void check_mapped(struct states *states)
{
	size_t count = states->mapped_count;
	if (count == 0 || !states->selection.with_mapped)
		return;
	const size_t picked[] = {0, count - 1, states->operations % count};
	for (size_t i = 0; i < sizeof(picked) / sizeof(picked[0]); i++) {
		check(states, (struct choice){.mapped = states->mapped[picked[i]]});
		check(states, (struct choice){.mapped = states->mapped[picked[i]], .none_synced = true});
	}
}

static void add_mapped(struct states *states, const struct disk_op *op)
{
	if (states->mapped_count == MAPPED_MAX)
		abort();
	states->mapped[states->mapped_count++] = op;
}

static void keep_newest_mapped(struct states *states)
{
	if (states->mapped_count == 0)
		return;
	states->mapped[0] = states->mapped[states->mapped_count - 1];
	states->mapped_count = 1;
}

static void check_all(struct states *states)
{
	bool names_differ = false, sizes_differ = false;
	for (unsigned i = 0; i < states->file_count; i++) {
		names_differ |= states->files[i].is_named != states->files[i].is_named_on_disk;
		sizes_differ |= states->files[i].is_named && states->files[i].now_size != states->files[i].disk_size;
	}
	states->operations++;
	check(states, (struct choice){0});
	check_pages(states);
	check(states, (struct choice){.none_synced = true});
	check_mapped(states);
	if (sizes_differ)
		check(states, (struct choice){.sizes_as_synced = true});
	if (names_differ) {
		check(states, (struct choice){.names_as_synced = true});
		check(states, (struct choice){.names_as_synced = true, .none_synced = true});
	}
}

void states_check(const struct subject *subject, const struct disk_log *log, const struct promise *promise,
                  const char *folder, struct selection selection, struct findings *findings)
{
	struct states *states = calloc(1, sizeof(*states));
	if (!states)
		abort();
	states->subject = subject;
	states->folder = folder;
	states->promise = *promise;
	for (unsigned i = 0; i < promise->events; i++)
		if (promise->acknowledged[i] > states->acknowledgements)
			states->acknowledgements = promise->acknowledged[i];
	states->selection = selection;
	states->findings = findings;
	for (size_t i = 0; i < log->first; i++)
		apply(states, &log->ops[i]);
	for (size_t i = log->first; i < log->count; i++) {
		const struct disk_op *op = &log->ops[i];
		if (op->kind == DISK_NOTE) {
			take_note(states, op);
			continue;
		}
		if (op->kind == DISK_MAPPED) {
			add_mapped(states, op);
			continue;
		}
		if (op->kind == DISK_SYNC_MAPPED) {
			keep_newest_mapped(states);
			continue;
		}
		check_all(states); /* as the operation before left it, with what was promised until this one */
		commit_done(states);
		apply(states, op);
	}
	check_all(states);
	for (unsigned i = 0; i < states->file_count; i++) {
		free(states->files[i].now);
		free(states->files[i].disk);
	}
	free(states);
}
