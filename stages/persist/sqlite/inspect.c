/* The files of a database before a start. */
#include "inspect.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wal_frames.h"
#include "wal_index.h"

/* Of the database's header; the numbers are offsets. https://www.sqlite.org/fileformat2.html#the_database_header */
enum {
	MAGIC_SIZE = 16,
	PAGE_SIZE = 16,
	WRITE_VERSION = 18,
	READ_VERSION = 19,
	CHANGES = 24,
	PAGES = 28,
	PAGES_VALID_FOR = 92,
	HEADER_SIZE = 100
};

/* What was found. */
struct files {
	const char *path;
	char log_path[PATH_MAX + sizeof("-wal")];
	int64_t size; /* of the database */
	uint8_t header[HEADER_SIZE];
	/* Of the log, up to its last commit. */
	struct wal_log log;
	uint32_t pages; /* of the database then */
	bool has_first; /* page */
};

/* Another generation of this process has them open, and watches them. To open and close them beside it would end its
 * locks: those are the process's, and so of all of its descriptors. */
static bool is_open_here(const char *path)
{
	struct stat wanted, status;
	char name[sizeof("/proc/self/fd/") + NAME_MAX];
	bool found = false;
	DIR *folder = stat(path, &wanted) == 0 ? opendir("/proc/self/fd") : NULL;
	for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		(void)snprintf(name, sizeof(name), "/proc/self/fd/%s", entry->d_name);
		found = stat(name, &status) == 0 && status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino;
	}
	if (folder)
		(void)closedir(folder);
	return found;
}

static uint32_t number_at(const uint8_t *bytes, int offset)
{
	uint32_t number;
	memcpy(&number, bytes + offset, sizeof(number));
	return be32toh(number);
}

static void read_database(struct files *files)
{
	int fd = open(files->path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0)
		files->size = status.st_size;
	if (pread(fd, files->header, HEADER_SIZE, 0) != HEADER_SIZE)
		memset(files->header, 0, HEADER_SIZE);
	(void)close(fd);
}

static void read_log(struct files *files)
{
	struct wal_walk walk;
	struct wal_frame frame;
	bool has_first = false;
	int fd = open(files->log_path, O_RDONLY | O_CLOEXEC);
	bool any = fd >= 0 && wal_walk_begin_file(&walk, fd);
	if (any)
		files->log = walk.log;
	while (any && wal_walk_next(&walk, &frame)) {
		has_first |= frame.page == 1;
		if (frame.database_pages == 0)
			continue;
		files->log.frames = walk.next;
		files->pages = frame.database_pages;
		files->has_first = has_first;
	}
	if (any)
		wal_walk_end(&walk);
	if (fd >= 0)
		(void)close(fd);
}

/* What the index said when it was last written: after each commit, and so after the log was synced. */
static struct wal_log read_index(const char *path)
{
	char name[PATH_MAX + sizeof("-shm")];
	uint32_t index[WAL_INDEX_WORDS] = {0};
	(void)snprintf(name, sizeof(name), "%s-shm", path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, index, sizeof(index), 0) != sizeof(index))
		memset(index, 0, sizeof(index));
	if (fd >= 0)
		(void)close(fd);
	return wal_index_log(index);
}

/* Whether the log holds what the index said. One that began after it says nothing of it. */
static bool log_reaches(const struct files *files, const struct wal_log *said)
{
	enum { LOGS = 1 << 20 }; /* so many began since: more is another one's salt */
	if (said->frames == said->brought_over)
		return true;
	if (files->log.salt == said->salt)
		return files->log.frames >= said->frames;
	uint32_t first = be32toh((uint32_t)(said->salt >> 32)), found = be32toh((uint32_t)(files->log.salt >> 32));
	return files->log.salt && first - found > LOGS;
}

static bool log_is_whole(const struct files *files, const struct wal_log *said, struct sluice_error *error)
{
	if (log_reaches(files, said))
		return true;
	return sluice_error_set(
		error,
		"path: %s: of the %u pages in the write-ahead log beside it only %u are left (%s-wal was deleted, truncated or overwritten), and acknowledged events are missing: put that file back; to do without them, delete %s-shm",
		files->path, said->frames, files->log.salt == said->salt ? files->log.frames : 0, files->path,
		files->path);
}

/* Of the pages from `have` + 1 to `need`, how many are not in the log. */
static uint32_t count_missing(const struct files *files, uint32_t have, uint32_t need)
{
	struct wal_walk walk;
	struct wal_frame frame;
	uint32_t missing = need - have;
	if (missing == 0 || missing > files->log.frames)
		return missing;
	uint8_t *seen = calloc(missing, 1);
	int fd = open(files->log_path, O_RDONLY | O_CLOEXEC);
	bool any = seen && fd >= 0 && wal_walk_begin_file(&walk, fd);
	while (any && walk.next < files->log.frames && wal_walk_next(&walk, &frame)) {
		if (frame.page <= have || frame.page > need || seen[frame.page - have - 1])
			continue;
		seen[frame.page - have - 1] = 1;
		missing--;
	}
	if (any)
		wal_walk_end(&walk);
	if (fd >= 0)
		(void)close(fd);
	free(seen);
	return missing;
}

/* In bytes; 0: no page of SQLite has that size. */
static uint32_t page_size(const struct files *files)
{
	uint32_t size = (uint32_t)files->header[PAGE_SIZE] << 8 | files->header[PAGE_SIZE + 1];
	if (size == 1)
		size = 65536;
	return size >= 512 && (size & (size - 1)) == 0 ? size : 0;
}

static bool is_database(const struct files *files, struct sluice_error *error)
{
	enum { NEWEST = 2 }; /* with a write-ahead log */
	if (memcmp(files->header, "SQLite format 3", MAGIC_SIZE) != 0)
		return sluice_error_set(
			error,
			"path: %s: it is not a database of SQLite, or its beginning is damaged: expected a database or no file",
			files->path);
	if (page_size(files) && files->header[WRITE_VERSION] <= NEWEST && files->header[READ_VERSION] <= NEWEST)
		return true;
	return sluice_error_set(error, "path: %s: its header is damaged: put a good copy in its place", files->path);
}

/* A checkpoint that was under way may have written the header before the last pages: those are in the log. */
static bool has_all_pages(const struct files *files, struct sluice_error *error)
{
	const uint8_t *header = files->header;
	uint32_t page = files->log.frames > 0 ? files->log.page : page_size(files), need = files->pages;
	if (files->log.frames == 0 && number_at(header, CHANGES) == number_at(header, PAGES_VALID_FOR))
		need = number_at(header, PAGES);
	int64_t have = page ? files->size / page : 0;
	uint32_t missing = have < need ? count_missing(files, (uint32_t)have, need) : 0;
	if (missing == 0)
		return true;
	return sluice_error_set(
		error,
		"path: %s: it was truncated, or its header is damaged: it has %lld bytes instead of %lld, and %u pages are missing: put a good copy in its place",
		files->path, (long long)files->size, (long long)need * page, missing);
}

static bool are_whole(const struct config *config, struct sluice_error *error)
{
	struct files files = {.path = config->path};
	(void)snprintf(files.log_path, sizeof(files.log_path), "%s-wal", config->path);
	struct wal_log said = read_index(config->path);
	read_log(&files);
	read_database(&files);
	if (config->synchronous == SYNCHRONOUS_FULL && !log_is_whole(&files, &said, error))
		return false;
	if (files.size == 0 && files.log.frames == 0)
		return true;
	if (files.log.frames == 0)
		return is_database(&files, error) && has_all_pages(&files, error);
	return has_all_pages(&files, error) && (files.has_first || is_database(&files, error));
}

/* Another process may be at work on them meanwhile. */
bool inspect_files(const struct config *config, struct sluice_error *error)
{
	enum { TRIES = 5, PAUSE_US = 20000 };
	struct sluice_error cause = {0};
	if (is_open_here(config->path))
		return true;
	for (int i = 0; i < TRIES; i++) {
		cause = (struct sluice_error){0};
		if (are_whole(config, &cause))
			return true;
		(void)usleep(PAUSE_US);
	}
	return sluice_error_set(error, "%s", cause.text);
}
