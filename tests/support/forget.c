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
 * In the memory: `file-KEY` is the content of the inode KEY, `names` a line "KEY NAME" per entry of the folder.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *directory, *memory; /* NULL: nothing is watched */
static struct stat directory_status;
static int (*real_fsync)(int fd);
static int (*real_fdatasync)(int fd);
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

static void remember_file(int fd)
{
	char key[80], name[96], temporary[512], chunk[65536];
	make_key(fd, key);
	(void)snprintf(name, sizeof(name), "file-%s", key);
	FILE *file = begin(name, temporary);
	off_t at = 0;
	ssize_t size;
	while ((size = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		if (fwrite(chunk, 1, (size_t)size, file) != (size_t)size)
			give_up(temporary);
		at += size;
	}
	if (size < 0)
		give_up("pread");
	finish(file, temporary, name);
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
		if (with_content)
			remember_file(fd);
		(void)close(fd);
	}
	(void)closedir(folder);
	finish(file, temporary, "names");
}

/* Whether the folder holds the file under any name: asked by inode, since the path may have changed. */
static int is_in_directory(int fd, const struct stat *status)
{
	char link[64], path[4096];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	size_t prefix = strlen(directory);
	if (length < 0 || status->st_dev != directory_status.st_dev)
		return 0;
	path[length] = '\0';
	return strncmp(path, directory, prefix) == 0 && path[prefix] == '/' && !strchr(path + prefix + 1, '/');
}

static void remember(int fd)
{
	struct stat status;
	if (!directory || fstat(fd, &status) != 0)
		return;
	(void)pthread_mutex_lock(&lock);
	if (S_ISDIR(status.st_mode) && status.st_ino == directory_status.st_ino &&
	    status.st_dev == directory_status.st_dev)
		remember_names(0);
	else if (S_ISREG(status.st_mode) && is_in_directory(fd, &status))
		remember_file(fd);
	(void)pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void start(void)
{
	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
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

__attribute__((visibility("default"))) int fsync(int fd)
{
	remember(fd);
	return real_fsync(fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	remember(fd);
	return real_fdatasync(fd);
}
