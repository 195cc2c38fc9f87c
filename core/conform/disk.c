/*
 * A file is known by its inode, which an open descriptor keeps from being used again. What is synced of it is a copy of
 * its content; what is synced of a folder is the list of the names in it.
 */
#include "conform/disk.h"
#include "conform/disk_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/digest.h"

enum { FILES_MAX = 256, NAMES_MAX = 512, WALK_DEPTH = 16, SPACE_FAILURES = 3 };

struct file {
	struct stat status;
	int holder; /* an O_PATH descriptor */
	struct buffer synced;
};

struct name {
	char path[PATH_MAX]; /* "" : free */
	ino_t inode;
	bool is_folder;
};

static struct disk {
	pthread_mutex_t lock;
	char folder[PATH_MAX]; /* as /proc shows it, with a slash behind */
	size_t folder_size;
	dev_t device;
	struct file files[FILES_MAX];
	size_t file_count;
	struct name names[NAMES_MAX];
	size_t calls;
	enum disk_fault fault;
	size_t left;  /* calls until the fault comes; 0: none will */
	size_t times; /* the fault still comes */
	bool has_failed;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_long slowness_ns;
static _Atomic enum { DETACHED, ATTACHED, REMEMBERS } state;

_Noreturn static void give_up(const char *what)
{
	(void)fprintf(stderr, "the disk of the check: %s: %s\n", what, strerror(errno));
	_exit(99);
}

/* The path of an open file below the folder, relative to it; "" of the folder itself; NULL of all others. */
static const char *path_of(int fd, struct stat *status_out, char path[PATH_MAX])
{
	char link[64];
	if (fstat(fd, status_out) != 0 || status_out->st_dev != disk.device ||
	    (!S_ISREG(status_out->st_mode) && !S_ISDIR(status_out->st_mode)))
		return NULL;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, PATH_MAX - 2);
	if (size < 0)
		return NULL;
	path[size] = '/';
	path[size + 1] = '\0';
	if (strncmp(path, disk.folder, disk.folder_size) != 0)
		return NULL;
	path[size] = '\0';
	return (size_t)size < disk.folder_size ? "" : path + disk.folder_size;
}

/* The file, known from now on. */
static struct file *get_file(int fd, const struct stat *status)
{
	char link[64];
	for (size_t i = 0; i < disk.file_count; i++) {
		if (disk.files[i].status.st_ino == status->st_ino)
			return &disk.files[i];
	}
	if (disk.file_count == FILES_MAX)
		give_up("too many files");
	struct file *file = &disk.files[disk.file_count++];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*file = (struct file){.status = *status, .holder = open(link, O_PATH | O_CLOEXEC)};
	return file;
}

static void sync_file(int fd, const struct stat *status)
{
	char link[64], part[65536];
	struct file *file = get_file(fd, status);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	int own = open(link, O_RDONLY | O_CLOEXEC); /* that one may be open for writing alone */
	if (own < 0)
		give_up("open");
	buffer_empty(&file->synced);
	for (ssize_t size; (size = disk_real()->read(own, part, sizeof(part))) > 0;)
		buffer_add(&file->synced, part, (size_t)size);
	(void)close(own);
}

/* The -shm file beside an SQLite WAL is shared memory: no restart finds anything of it. */
static bool is_shared_memory(const char *path)
{
	size_t size = strlen(path);
	return size > 4 && strcmp(path + size - 4, "-shm") == 0;
}

static bool is_directly_in(const char *folder, const char *path)
{
	size_t size = strlen(folder);
	if (size > 0 && (strncmp(folder, path, size) != 0 || path[size] != '/'))
		return false;
	return !strchr(path + (size > 0 ? size + 1 : 0), '/');
}

static void add_name(const char *path, const struct stat *status)
{
	struct name *name = disk.names;
	while (name < disk.names + NAMES_MAX && name->path[0])
		name++;
	if (name == disk.names + NAMES_MAX)
		give_up("too many names");
	(void)snprintf(name->path, sizeof(name->path), "%s", path);
	name->inode = status->st_ino;
	name->is_folder = S_ISDIR(status->st_mode);
}

static void sync_folder(const char *folder)
{
	char full[2 * PATH_MAX], path[PATH_MAX];
	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (disk.names[i].path[0] && is_directly_in(folder, disk.names[i].path))
			disk.names[i].path[0] = '\0';
	}
	(void)snprintf(full, sizeof(full), "%s%s", disk.folder, folder);
	DIR *stream = opendir(full);
	for (const struct dirent *entry; stream && (entry = readdir(stream));) {
		struct stat status;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] ? "/" : "", entry->d_name);
		add_name(path, &status);
	}
	if (stream)
		(void)closedir(stream);
}

static int sync_whatever(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)place;
	if (type == FTW_D) {
		size_t size = strlen(path);
		sync_folder(size < disk.folder_size ? "" : path + disk.folder_size);
		return 0;
	}
	int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		sync_file(fd, status);
		(void)close(fd);
	}
	return 0;
}

static void sync_all(void)
{
	char folder[PATH_MAX];
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)disk.folder_size - 1, disk.folder);
	(void)nftw(folder, sync_whatever, WALK_DEPTH, FTW_PHYS);
}

void disk_attach(const char *folder)
{
	struct stat status;
	char path[PATH_MAX];
	if (!realpath(folder, path) || stat(path, &status) != 0)
		give_up(folder);
	(void)disk_real();
	(void)pthread_mutex_lock(&disk.lock);
	disk.folder_size = (size_t)snprintf(disk.folder, sizeof(disk.folder), "%s/", path);
	disk.device = status.st_dev;
	(void)pthread_mutex_unlock(&disk.lock);
	atomic_store(&state, ATTACHED);
}

void disk_remember(void)
{
	(void)pthread_mutex_lock(&disk.lock);
	disk.calls = 0;
	sync_all();
	(void)pthread_mutex_unlock(&disk.lock);
	atomic_store(&state, REMEMBERS);
}

void disk_break(enum disk_fault fault, size_t at)
{
	(void)pthread_mutex_lock(&disk.lock);
	disk.fault = fault;
	disk.left = at;
	disk.times = fault == DISK_ENOSPC ? SPACE_FAILURES : 1;
	disk.has_failed = false;
	(void)pthread_mutex_unlock(&disk.lock);
}

bool disk_mend(void)
{
	(void)pthread_mutex_lock(&disk.lock);
	disk.left = 0;
	bool has_failed = disk.has_failed;
	(void)pthread_mutex_unlock(&disk.lock);
	return has_failed;
}

size_t disk_calls(void)
{
	(void)pthread_mutex_lock(&disk.lock);
	size_t calls = disk.calls;
	(void)pthread_mutex_unlock(&disk.lock);
	return calls;
}

static const struct file *find_file(ino_t inode)
{
	for (size_t i = 0; i < disk.file_count; i++) {
		if (disk.files[i].status.st_ino == inode)
			return &disk.files[i];
	}
	return NULL;
}

static bool is_synced_folder(const char *path)
{
	for (size_t i = 0; i < NAMES_MAX; i++) {
		if (disk.names[i].path[0] && disk.names[i].is_folder && strcmp(disk.names[i].path, path) == 0)
			return true;
	}
	return false;
}

/* A folder that stays is not made again: it may be the working directory of a process. */
static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type;
	return place->level == 0 || is_synced_folder(path + disk.folder_size) ? 0 : remove(path);
}

static void write_back(const char *path, const struct buffer *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up(path);
	for (size_t written = 0; written < content->size;) {
		ssize_t size = disk_real()->write(fd, content->data + written, content->size - written);
		if (size <= 0)
			give_up(path);
		written += (size_t)size;
	}
	(void)close(fd);
}

/* Only what is in a folder that is there itself. */
static void restore(bool folders)
{
	char path[2 * PATH_MAX];
	for (size_t i = 0; i < NAMES_MAX; i++) {
		const struct name *name = &disk.names[i];
		if (!name->path[0] || name->is_folder != folders || is_shared_memory(name->path))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", disk.folder, name->path);
		const struct file *file = find_file(name->inode);
		if (folders)
			(void)mkdir(path, 0700);
		else
			write_back(path, file ? &file->synced : &(struct buffer){"", 0, 0});
	}
}

void disk_cut_power(int status)
{
	char folder[PATH_MAX];
	(void)pthread_mutex_lock(&disk.lock);
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)disk.folder_size - 1, disk.folder);
	(void)nftw(folder, remove_one, WALK_DEPTH, FTW_DEPTH | FTW_PHYS);
	for (int level = 0; level < WALK_DEPTH; level++) /* a list has no order */
		restore(true);
	restore(false);
	_exit(status);
}

void disk_slow_down(long most_ns)
{
	atomic_store(&slowness_ns, most_ns);
}

/* Before a call to a file. */
static void take_time(int fd)
{
	long most_ns = atomic_load_explicit(&slowness_ns, memory_order_relaxed);
	struct stat status;
	uint16_t number;
	if (most_ns == 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	digest_random(&number, sizeof(number));
	(void)nanosleep(&(struct timespec){.tv_nsec = most_ns * number / UINT16_MAX}, NULL);
}

/* Whether this call fails. */
static bool fails(bool is_sync)
{
	disk.calls++;
	if (!disk.left || disk.fault >= DISK_EIO_READ || (is_sync && disk.fault != DISK_EIO))
		return false;
	if (disk.left > 1) {
		disk.left--;
		return false;
	}
	disk.has_failed = true;
	if (--disk.times == 0)
		disk.left = 0;
	return true;
}

/* False with errno: the sync fails. `fd` is on any disk. */
bool disk_sync(int fd, bool *is_ours_out)
{
	struct stat status;
	char room[PATH_MAX];
	(void)pthread_mutex_lock(&disk.lock);
	const char *path = path_of(fd, &status, room);
	bool is_remembered = path && atomic_load(&state) == REMEMBERS;
	bool failed = is_remembered && fails(true);
	if (is_remembered && !failed && S_ISDIR(status.st_mode))
		sync_folder(path);
	else if (is_remembered && !failed)
		sync_file(fd, &status);
	(void)pthread_mutex_unlock(&disk.lock);
	*is_ours_out = path != NULL;
	if (failed)
		errno = EIO;
	return !failed;
}

/* What comes before a write of `size` bytes: how many it may write, or -1 with errno. */
ssize_t disk_allow(int fd, size_t size)
{
	struct stat status;
	char room[PATH_MAX];
	take_time(fd);
	if (atomic_load_explicit(&state, memory_order_relaxed) != REMEMBERS || fd <= STDERR_FILENO)
		return (ssize_t)size;
	int error = errno;
	(void)pthread_mutex_lock(&disk.lock);
	bool failed = path_of(fd, &status, room) && fails(false);
	enum disk_fault fault = disk.fault;
	(void)pthread_mutex_unlock(&disk.lock);
	errno = error;
	if (!failed)
		return (ssize_t)size;
	if (fault == DISK_SHORT && size > 1)
		return (ssize_t)(size / 2);
	errno = fault == DISK_ENOSPC ? ENOSPC : EIO;
	return -1;
}

/* What comes behind a write: with O_DSYNC it is synced. */
ssize_t disk_note(int fd, ssize_t written, bool is_synced)
{
	struct stat status;
	char room[PATH_MAX];
	if (written <= 0 || atomic_load_explicit(&state, memory_order_relaxed) != REMEMBERS || fd <= STDERR_FILENO ||
	    !(is_synced || (fcntl(fd, F_GETFL) & O_DSYNC)))
		return written;
	(void)pthread_mutex_lock(&disk.lock);
	if (path_of(fd, &status, room) && S_ISREG(status.st_mode))
		sync_file(fd, &status);
	(void)pthread_mutex_unlock(&disk.lock);
	return written;
}

bool disk_read_fails(int fd)
{
	struct stat status;
	char room[PATH_MAX];
	take_time(fd);
	if (atomic_load_explicit(&state, memory_order_relaxed) != REMEMBERS)
		return false;
	int error = errno;
	(void)pthread_mutex_lock(&disk.lock);
	bool failed = disk.left && disk.fault >= DISK_EIO_READ && path_of(fd, &status, room);
	if (failed && disk.fault == DISK_EIO_READ_ONCE)
		failed = --disk.left == 0;
	disk.has_failed |= failed;
	(void)pthread_mutex_unlock(&disk.lock);
	errno = failed ? EIO : error;
	return failed;
}

/* What the mapping at `start` is of; false with errno if it fails. */
bool disk_sync_mapping(const void *start)
{
	bool ok = true;
	char line[PATH_MAX + 128], path[PATH_MAX];
	unsigned long from, to;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %4095[^\n]", &from, &to, path) != 3 ||
		    (unsigned long)start < from || (unsigned long)start >= to)
			continue;
		bool is_ours;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ok = fd < 0 || disk_sync(fd, &is_ours);
		if (fd >= 0)
			(void)close(fd);
		break;
	}
	if (maps)
		(void)fclose(maps);
	if (!ok)
		errno = EIO;
	return ok;
}

void disk_sync_everything(void)
{
	(void)pthread_mutex_lock(&disk.lock);
	if (atomic_load(&state) == REMEMBERS)
		sync_all();
	(void)pthread_mutex_unlock(&disk.lock);
}

bool disk_is_attached(void)
{
	return atomic_load(&state) != DETACHED;
}
