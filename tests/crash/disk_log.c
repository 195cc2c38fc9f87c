/* The functions that write, and the log of them; see disk_log.h. */
#include "crash/disk_log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 1024, FILES_MAX = 4096, MAPPED = 4096 };

static struct {
	pthread_mutex_t lock;
	bool on, skips_syncs;
	char folder[512];
	const char *mapped;
	char mapped_name[64]; /* "": there was none yet */
	char mapped_content[MAPPED];
	struct stat folder_status;
	struct disk_log log;
	long syncs, fail_at;
	int cause;
	struct {
		ino_t inode; /* 0: it was deleted */
		char name[64];
	} files[FILES_MAX]; /* by number */
	unsigned file_count;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);
	if (!function)
		abort();
	return function;
}

/* `function`: the C library's of that name. */
#define REAL(result, name, arguments)                                                                                  \
	static result(*function) arguments;                                                                            \
	if (!function)                                                                                                 \
	*(void **)&function = real(name)

static void append(struct disk_op op, const void *data)
{
	struct disk_log *log = &state.log;
	if (log->count == log->room) {
		log->room = log->room ? 2 * log->room : 1024;
		log->ops = realloc(log->ops, log->room * sizeof(*log->ops));
	}
	if (data) {
		op.data = malloc(op.size + 1);
		memcpy(op.data, data, op.size);
	}
	if (!log->ops || (data && !op.data))
		abort();
	log->ops[log->count++] = op;
}

/* Nobody tells of a write through memory. */
static void look_at_mapped(void)
{
	char path[1024], content[MAPPED] = "";
	(void)snprintf(path, sizeof(path), "%s/%s", state.folder, state.mapped_name);
	int fd = state.mapped_name[0] ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	bool changed = pread(fd, content, MAPPED, 0) == MAPPED && memcmp(content, state.mapped_content, MAPPED) != 0;
	(void)close(fd);
	if (!changed)
		return;
	struct disk_op op = {.kind = DISK_MAPPED, .size = MAPPED};
	memcpy(op.name, state.mapped_name, sizeof(op.name));
	memcpy(state.mapped_content, content, MAPPED);
	append(op, content);
}

static void add(struct disk_op op, const void *data)
{
	look_at_mapped();
	append(op, data);
}

/* Whether the descriptor is of a file in the folder; the lock is held. */
static bool find(int fd, unsigned *file_out)
{
	struct stat status;
	if (!state.on || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
	    status.st_dev != state.folder_status.st_dev)
		return false;
	for (unsigned file = state.file_count; file-- > 0;)
		if (state.files[file].inode == status.st_ino) {
			*file_out = file;
			return true;
		}
	return false;
}

static bool is_folder(int fd)
{
	struct stat status;
	return state.on && fstat(fd, &status) == 0 && status.st_ino == state.folder_status.st_ino &&
	       status.st_dev == state.folder_status.st_dev;
}

static bool is_mapped(const char *name)
{
	size_t size = strlen(name), end = state.mapped ? strlen(state.mapped) : 0;
	return end > 0 && size >= end && strcmp(name + size - end, state.mapped) == 0;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* Gives the file the next number; the lock is held. */
static void add_file(struct disk_op op, const char *name, ino_t inode)
{
	op.file = state.file_count;
	(void)snprintf(op.name, sizeof(op.name), "%.60s", name);
	state.files[state.file_count].inode = inode;
	memcpy(state.files[state.file_count++].name, op.name, sizeof(op.name));
	add(op, NULL);
}

/* A file that was not there before. */
static void note_created(int fd)
{
	char link[64], path[1024];
	struct stat status;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	size_t prefix = strlen(state.folder);
	if (length <= 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	path[length] = '\0';
	if (strncmp(path, state.folder, prefix) != 0 || path[prefix] != '/' || state.file_count == FILES_MAX)
		return;
	if (is_mapped(path)) {
		(void)snprintf(state.mapped_name, sizeof(state.mapped_name), "%.60s", path + prefix + 1);
		return;
	}
	add_file((struct disk_op){.kind = DISK_CREATE}, path + prefix + 1, status.st_ino);
}

/* A file in the folder has another name there. */
static void note_linked(const char *path)
{
	unsigned from;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)pthread_mutex_lock(&state.lock);
	if (find(fd, &from) && state.file_count < FILES_MAX)
		add_file((struct disk_op){.kind = DISK_LINK, .from = from}, name_of(path), state.files[from].inode);
	(void)pthread_mutex_unlock(&state.lock);
	(void)close(fd);
}

static int opened(int fd, int flags)
{
	unsigned file;
	if (fd < 0 || !state.on || !(flags & O_CREAT))
		return fd;
	(void)pthread_mutex_lock(&state.lock);
	if (!find(fd, &file))
		note_created(fd);
	(void)pthread_mutex_unlock(&state.lock);
	return fd;
}

static void note_write(int fd, const void *data, ssize_t size, off_t at)
{
	unsigned file;
	int cause = errno;
	(void)pthread_mutex_lock(&state.lock);
	if (size > 0 && find(fd, &file))
		add((struct disk_op){.kind = DISK_WRITE, .file = file, .at = (uint64_t)at, .size = (size_t)size}, data);
	(void)pthread_mutex_unlock(&state.lock);
	errno = cause;
}

static void note_size(int fd, off_t size)
{
	unsigned file;
	(void)pthread_mutex_lock(&state.lock);
	if (find(fd, &file))
		add((struct disk_op){.kind = DISK_RESIZE, .file = file, .size = (size_t)size}, NULL);
	(void)pthread_mutex_unlock(&state.lock);
}

static void note_unlink(const char *path)
{
	struct disk_op op = {.kind = DISK_UNLINK};
	(void)snprintf(op.name, sizeof(op.name), "%.60s", name_of(path));
	(void)pthread_mutex_lock(&state.lock);
	if (state.on)
		add(op, NULL);
	for (unsigned file = 0; file < state.file_count; file++) /* its inode may be used again */
		if (strcmp(state.files[file].name, op.name) == 0)
			state.files[file].inode = 0;
	(void)pthread_mutex_unlock(&state.lock);
}

static int sync_with(const char *name, int fd)
{
	int (*function)(int) = NULL;
	unsigned file;
	*(void **)&function = real(name);
	if (!state.on)
		return state.skips_syncs ? 0 : function(fd);
	(void)pthread_mutex_lock(&state.lock);
	bool is_file = find(fd, &file), fails = (is_file || is_folder(fd)) && ++state.syncs == state.fail_at;
	if (is_file)
		add((struct disk_op){.kind = fails ? DISK_SYNC_FAILED : DISK_SYNC, .file = file}, NULL);
	else if (is_folder(fd) && !fails)
		add((struct disk_op){.kind = DISK_SYNC_NAMES}, NULL);
	(void)pthread_mutex_unlock(&state.lock);
	/* The states are made from the log, so the true disk need not be waited for. */
	errno = state.cause;
	return fails ? -1 : 0;
}

static void add_content(int fd, unsigned file)
{
	static char content[65536];
	off_t at = 0;
	for (ssize_t size; (size = pread(fd, content, sizeof(content), at)) > 0; at += size)
		append((struct disk_op){.kind = DISK_WRITE, .file = file, .at = (uint64_t)at, .size = (size_t)size},
		       content);
	append((struct disk_op){.kind = DISK_RESIZE, .file = file, .size = (size_t)at}, NULL);
	append((struct disk_op){.kind = DISK_SYNC, .file = file}, NULL);
}

/* Begins the log with the files that are there, as if they had just been made. */
static void add_what_is_there(void)
{
	DIR *folder = opendir(state.folder);
	const struct dirent *entry;
	REAL(int, "openat", (int, const char *, int, ...));
	while (folder && (entry = readdir(folder)) != NULL) {
		struct stat status;
		int fd = entry->d_type == DT_REG ? function(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		if (fstat(fd, &status) == 0 && !is_mapped(entry->d_name)) {
			add_file((struct disk_op){.kind = DISK_CREATE}, entry->d_name, status.st_ino);
			add_content(fd, state.file_count - 1);
		}
		(void)close(fd);
	}
	if (folder)
		(void)closedir(folder);
	append((struct disk_op){.kind = DISK_SYNC_NAMES}, NULL);
	state.log.first = state.log.count;
}

void disk_log_start(const char *folder, const char *mapped, long fail_at, int cause)
{
	(void)pthread_mutex_lock(&state.lock);
	(void)snprintf(state.folder, sizeof(state.folder), "%s", folder);
	if (stat(folder, &state.folder_status) != 0)
		abort();
	state.mapped = mapped;
	state.mapped_name[0] = '\0';
	memset(state.mapped_content, 0, MAPPED);
	state.on = true;
	state.syncs = 0;
	state.fail_at = fail_at;
	state.cause = cause;
	state.file_count = 0;
	state.log = (struct disk_log){0};
	add_what_is_there();
	(void)pthread_mutex_unlock(&state.lock);
}

struct disk_log disk_log_stop(void)
{
	(void)pthread_mutex_lock(&state.lock);
	state.on = false;
	struct disk_log log = state.log;
	(void)pthread_mutex_unlock(&state.lock);
	return log;
}

void disk_log_free(struct disk_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->ops[i].data);
	free(log->ops);
	*log = (struct disk_log){0};
}

long disk_log_syncs(void)
{
	return state.syncs;
}

void disk_log_note(int note, int64_t number)
{
	(void)pthread_mutex_lock(&state.lock);
	if (state.on)
		add((struct disk_op){.kind = DISK_NOTE, .note = note, .number = number}, NULL);
	(void)pthread_mutex_unlock(&state.lock);
}

void disk_skip_syncs(void)
{
	state.skips_syncs = true;
}

#define OWN __attribute__((visibility("default")))

#define TAKE_MODE                                                                                                      \
	mode_t mode = 0;                                                                                               \
	if (flags & O_CREAT) {                                                                                         \
		va_list arguments;                                                                                     \
		va_start(arguments, flags);                                                                            \
		mode = va_arg(arguments, mode_t);                                                                      \
		va_end(arguments);                                                                                     \
	}

#define OWN_OPEN(name)                                                                                                 \
	OWN int name(const char *path, int flags, ...)                                                                 \
	{                                                                                                              \
		TAKE_MODE                                                                                              \
		REAL(int, #name, (const char *, int, ...));                                                            \
		return opened(function(path, flags, mode), flags);                                                     \
	}

#define OWN_OPENAT(name)                                                                                               \
	OWN int name(int folder, const char *path, int flags, ...)                                                     \
	{                                                                                                              \
		TAKE_MODE                                                                                              \
		REAL(int, #name, (int, const char *, int, ...));                                                       \
		return opened(function(folder, path, flags, mode), flags);                                             \
	}

#define OWN_PWRITE(name, offset)                                                                                       \
	OWN ssize_t name(int fd, const void *data, size_t size, offset at)                                             \
	{                                                                                                              \
		REAL(ssize_t, #name, (int, const void *, size_t, offset));                                             \
		ssize_t written = function(fd, data, size, at);                                                        \
		note_write(fd, data, written, at);                                                                     \
		return written;                                                                                        \
	}

#define OWN_FTRUNCATE(name, offset)                                                                                    \
	OWN int name(int fd, offset size)                                                                              \
	{                                                                                                              \
		REAL(int, #name, (int, offset));                                                                       \
		int result = function(fd, size);                                                                       \
		if (result == 0)                                                                                       \
			note_size(fd, size);                                                                           \
		return result;                                                                                         \
	}

#define OWN_FALLOCATE(name, offset)                                                                                    \
	OWN int name(int fd, offset at, offset size)                                                                   \
	{                                                                                                              \
		REAL(int, #name, (int, offset, offset));                                                               \
		int result = function(fd, at, size);                                                                   \
		if (result == 0)                                                                                       \
			note_size(fd, at + size);                                                                      \
		return result;                                                                                         \
	}

OWN_OPEN(open)
OWN_OPEN(open64)
OWN_OPENAT(openat)
OWN_OPENAT(openat64)
OWN_PWRITE(pwrite, off_t)
OWN_PWRITE(pwrite64, off64_t)
OWN_FTRUNCATE(ftruncate, off_t)
OWN_FTRUNCATE(ftruncate64, off64_t)
OWN_FALLOCATE(posix_fallocate, off_t)
OWN_FALLOCATE(posix_fallocate64, off64_t)

OWN int fsync(int fd)
{
	return sync_with("fsync", fd);
}

OWN int fdatasync(int fd)
{
	return sync_with("fdatasync", fd);
}

OWN int msync(void *memory, size_t size, int flags)
{
	REAL(int, "msync", (void *, size_t, int));
	(void)pthread_mutex_lock(&state.lock);
	if (state.on)
		add((struct disk_op){.kind = DISK_SYNC_MAPPED}, NULL);
	(void)pthread_mutex_unlock(&state.lock);
	return state.on || state.skips_syncs ? 0 : function(memory, size, flags);
}

OWN int link(const char *from, const char *path)
{
	REAL(int, "link", (const char *, const char *));
	int result = function(from, path);
	if (result == 0)
		note_linked(path);
	return result;
}

OWN int unlink(const char *path)
{
	REAL(int, "unlink", (const char *));
	int result = function(path);
	if (result == 0)
		note_unlink(path);
	return result;
}

OWN int unlinkat(int folder, const char *path, int flags)
{
	REAL(int, "unlinkat", (int, const char *, int));
	int result = function(folder, path, flags);
	if (result == 0)
		note_unlink(path);
	return result;
}
