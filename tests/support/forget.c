/*
 * A disk that forgets: preloaded into a process, it remembers what each file of one folder held at its last fsync() or
 * fdatasync(), and which names the folder held at its own. forget-apply then puts the folder into the state that a
 * power cut leaves behind at worst: nothing that was not synced is there.
 *
 *     LD_PRELOAD=forget.so FORGET_DIRECTORY=/tmp/x/data FORGET_MEMORY=/tmp/x/memory sluice run …    then SIGKILL
 *     forget-apply /tmp/x/memory /tmp/x/data
 *
 * The folder is not watched below its first level, and what is written through a mapping counts like any other write.
 * What the folder holds when the first process begins is taken for synced. Both paths must be absolute; the memory must
 * exist.
 *
 * Syncs can fail, too, as Linux does it: the error is told once, and the pages that could not be written stay readable
 * and count as clean, so no later sync brings them to the disk unless they were written again.
 *
 *     FORGET_FAIL_AT=N       the N-th sync of the process fails; FORGET_FAIL_TIMES of them, 1 unless it is set
 *     FORGET_FAIL_WHILE=FILE syncs fail while that file exists; the first that does makes it one byte long
 *     FORGET_FAIL_NAME=NAME  only syncs of that file count and fail; "." is the folder
 *
 * In the memory: `file-KEY` is the content of the inode KEY, `lost-KEY` a byte for each of its pages, 1 if a failed sync
 * has lost it, `names` a line "KEY NAME" per entry of the folder, `failed` is there once a sync has failed, `syncs` says
 * how many syncs counted.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *directory, *memory; /* NULL: nothing is watched */
static struct stat directory_status;
static int (*real_fsync)(int fd);
static int (*real_fdatasync)(int fd);
static ssize_t (*real_pwrite64)(int fd, const void *data, size_t size, off_t at);
static ssize_t (*real_write)(int fd, const void *data, size_t size);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

_Noreturn static void give_up(const char *what)
{
	(void)fprintf(stderr, "forget: %s: %s\n", what, strerror(errno));
	_exit(99); /* a test must not go on with a memory that has gaps */
}

/* An inode number is used again after its file is gone: the moment of its birth tells the two apart. */
static void make_key(int fd, char key[80])
{
	struct statx status;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0)
		give_up("statx");
	(void)snprintf(key, 80, "%llu-%lld-%u", (unsigned long long)status.stx_ino, (long long)status.stx_btime.tv_sec,
	               status.stx_btime.tv_nsec);
}

enum { PAGE = 4096, PAGES_MAX = 1 << 14, LOST_MAX = 64 };

/* Which pages of a file were lost; in a file of the memory, since a lost page survives the process. */
static struct lost {
	ino_t inode;
	char key[80];
	unsigned char *pages;
} lost[LOST_MAX];
static size_t lost_count;

static struct lost *find_lost(int fd, const struct stat *status, int create)
{
	char key[80], path[512];
	make_key(fd, key);
	for (size_t i = 0; i < lost_count; i++)
		if (lost[i].inode == status->st_ino && strcmp(lost[i].key, key) == 0)
			return &lost[i];
	(void)snprintf(path, sizeof(path), "%s/lost-%s", memory, key);
	int file = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
	if (file < 0)
		return NULL;
	struct lost *entry = &lost[lost_count++];
	entry->inode = status->st_ino;
	(void)strcpy(entry->key, key);
	if (lost_count > LOST_MAX || ftruncate(file, PAGES_MAX) != 0)
		give_up(path);
	entry->pages = mmap(NULL, PAGES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (entry->pages == MAP_FAILED)
		give_up(path);
	(void)close(file);
	return entry;
}

static FILE *begin(const char *name, char temporary[512])
{
	(void)snprintf(temporary, 512, "%s/new-%s-%ld", memory, name, (long)getpid());
	FILE *file = fopen(temporary, "wbe");
	if (!file)
		give_up(temporary);
	return file;
}

/* The new content takes the old one's place at once: the process may be killed between any two instructions. */
static void finish(FILE *file, const char *temporary, const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s", memory, name);
	if (fclose(file) != 0 || rename(temporary, path) != 0)
		give_up(path);
}

/* What the disk has of a page that was lost: the former content, or zeros where there was none. */
static void read_former(FILE *former, off_t at, char page[PAGE])
{
	memset(page, 0, PAGE);
	if (former && fseeko(former, at, SEEK_SET) == 0)
		(void)fread(page, 1, PAGE, former);
}

static void remember_file(int fd, const struct stat *status)
{
	char key[80], name[96], path[512], temporary[512], page[PAGE];
	make_key(fd, key);
	(void)snprintf(name, sizeof(name), "file-%s", key);
	(void)snprintf(path, sizeof(path), "%s/%s", memory, name);
	struct lost *lost_pages = find_lost(fd, status, 0);
	FILE *former = fopen(path, "rbe"), *file = begin(name, temporary);
	ssize_t size;
	for (off_t at = 0; (size = pread(fd, page, PAGE, at)) > 0; at += size) {
		if (lost_pages && at / PAGE < PAGES_MAX && lost_pages->pages[at / PAGE])
			read_former(former, at, page);
		if (fwrite(page, 1, (size_t)size, file) != (size_t)size)
			give_up(temporary);
	}
	if (size < 0)
		give_up("pread");
	if (former)
		(void)fclose(former);
	finish(file, temporary, name);
}

/* A sync failed: what differs from the memory was dirty, and is lost. */
static void lose_pages(int fd, const struct stat *status)
{
	char path[512], page[PAGE], before[PAGE];
	struct lost *lost_pages = find_lost(fd, status, 1);
	if (!lost_pages)
		give_up("lost");
	(void)snprintf(path, sizeof(path), "%s/file-%s", memory, lost_pages->key);
	FILE *former = fopen(path, "rbe");
	for (off_t at = 0; at / PAGE < PAGES_MAX; at += PAGE) {
		memset(page, 0, PAGE);
		if (pread(fd, page, PAGE, at) <= 0)
			break;
		read_former(former, at, before);
		if (memcmp(page, before, PAGE) != 0)
			lost_pages->pages[at / PAGE] = 1;
	}
	if (former)
		(void)fclose(former);
}

/* The -shm file beside an SQLite WAL is shared memory: no reboot leaves anything of it. */
static int is_shared_memory(const char *name)
{
	size_t length = strlen(name);
	return length > 4 && strcmp(name + length - 4, "-shm") == 0;
}

/* Opens the next regular file of the folder; -1 at its end. */
static int next_file(DIR *folder, const struct dirent **entry_out, int flags)
{
	while ((*entry_out = readdir(folder)) != NULL) {
		struct stat status;
		if (is_shared_memory((*entry_out)->d_name) ||
		    fstatat(dirfd(folder), (*entry_out)->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		int fd = openat(dirfd(folder), (*entry_out)->d_name, flags | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static void remember_names(int with_content)
{
	char temporary[512];
	FILE *file = begin("names", temporary);
	DIR *folder = opendir(directory);
	if (!folder)
		give_up(directory);
	const struct dirent *entry;
	int fd;
	while ((fd = next_file(folder, &entry, with_content ? O_RDONLY : O_PATH)) >= 0) {
		char key[80];
		make_key(fd, key);
		(void)fprintf(file, "%s %s\n", key, entry->d_name);
		struct stat status;
		if (with_content && fstat(fd, &status) == 0)
			remember_file(fd, &status);
		(void)close(fd);
	}
	(void)closedir(folder);
	finish(file, temporary, "names");
}

/* The name of a file in the folder, or NULL: asked by inode, since the path may have changed. */
static const char *name_of(int fd, const struct stat *status, char path[4096])
{
	char link[64];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, 4095);
	size_t prefix = strlen(directory);
	if (length < 0 || status->st_dev != directory_status.st_dev)
		return NULL;
	path[length] = '\0';
	if (status->st_ino == directory_status.st_ino)
		return ".";
	if (strncmp(path, directory, prefix) != 0 || path[prefix] != '/' || strchr(path + prefix + 1, '/'))
		return NULL;
	return path + prefix + 1;
}

/* For who asks afterwards. */
static void note_count(long count)
{
	static int fd = -1;
	char path[4096], text[24];
	(void)snprintf(path, sizeof(path), "%s/syncs", memory);
	if (fd < 0)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int length = snprintf(text, sizeof(text), "%ld", count);
	if (fd < 0 || real_pwrite64(fd, text, (size_t)length, 0) != length)
		give_up(path);
}

/* Whether this sync is one that is to fail. */
static int fails(const char *name)
{
	static long count;
	const char *only = getenv("FORGET_FAIL_NAME"), *at = getenv("FORGET_FAIL_AT"),
		   *times = getenv("FORGET_FAIL_TIMES"), *file = getenv("FORGET_FAIL_WHILE");
	if (only && strcmp(only, name) != 0)
		return 0;
	note_count(++count);
	long first = at ? atol(at) : 0;
	return (first && count >= first && count < first + (times ? atol(times) : 1)) ||
	       (file && truncate(file, 1) == 0);
}

static void note_failure(void)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/failed", memory);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		give_up(path);
	(void)close(fd);
}

/* Returns whether the sync fails. */
static int remember(int fd)
{
	struct stat status;
	char path[4096];
	if (!directory || fstat(fd, &status) != 0)
		return 0;
	(void)pthread_mutex_lock(&lock);
	const char *name = name_of(fd, &status, path);
	int failed = name && fails(name), is_file = name && S_ISREG(status.st_mode);
	if (failed)
		note_failure();
	if (failed && is_file)
		lose_pages(fd, &status);
	else if (is_file)
		remember_file(fd, &status);
	else if (name && !failed)
		remember_names(0);
	(void)pthread_mutex_unlock(&lock);
	return failed;
}

/* Pages that are written again are dirty again. */
static void note_write(int fd, off_t at, ssize_t size)
{
	struct stat status;
	char path[4096];
	if (!directory || size <= 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	(void)pthread_mutex_lock(&lock);
	struct lost *lost_pages = name_of(fd, &status, path) ? find_lost(fd, &status, 0) : NULL;
	for (off_t page = at / PAGE; lost_pages && page <= (at + size - 1) / PAGE && page < PAGES_MAX; page++)
		lost_pages->pages[page] = 0;
	(void)pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void start(void)
{
	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	*(void **)&real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
	*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	const char *wanted = getenv("FORGET_DIRECTORY");
	memory = getenv("FORGET_MEMORY");
	if (!wanted || !memory)
		return;
	directory = realpath(wanted, NULL); /* as /proc shows the paths of open files */
	if (!directory || stat(directory, &directory_status) != 0)
		give_up(wanted);
	char names[512];
	(void)snprintf(names, sizeof(names), "%s/names", memory);
	if (access(names, F_OK) != 0)
		remember_names(1);
}

#define INTERPOSED __attribute__((visibility("default")))

static int sync_with(int (*real)(int fd), int fd)
{
	if (!remember(fd))
		return real(fd);
	errno = EIO;
	return -1;
}

INTERPOSED int fsync(int fd)
{
	return sync_with(real_fsync, fd);
}

INTERPOSED int fdatasync(int fd)
{
	return sync_with(real_fdatasync, fd);
}

/* Neither calls the other: the program may have a pwrite64() of its own, which comes back to pwrite(). */
static ssize_t write_at(int fd, const void *data, size_t size, off_t at)
{
	ssize_t written = real_pwrite64(fd, data, size, at);
	note_write(fd, at, written);
	return written;
}

INTERPOSED ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
	return write_at(fd, data, size, at);
}

INTERPOSED ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	return write_at(fd, data, size, at);
}

INTERPOSED ssize_t write(int fd, const void *data, size_t size)
{
	if (!real_write) /* another library's constructor came first */
		*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	off_t at = directory && fd > STDERR_FILENO ? lseek(fd, 0, SEEK_CUR) : -1;
	ssize_t written = real_write(fd, data, size);
	if (at >= 0)
		note_write(fd, at, written);
	return written;
}
