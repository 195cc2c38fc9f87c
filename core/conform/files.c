/* See files.h. */
#include "conform/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void files_limit(rlim_t size)
{
	struct rlimit limit;
	(void)getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	(void)setrlimit(RLIMIT_FSIZE, &limit);
}

void files_walk_descriptors(void (*each)(int descriptor, void *context), void *context)
{
	DIR *folder = opendir("/proc/self/fd");
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder))
			each(atoi(entry->d_name), context);
	}
	if (folder)
		(void)closedir(folder);
}

static void note_size(const struct stat *status, rlim_t *largest)
{
	bool has_name = S_ISREG(status->st_mode) && status->st_nlink > 0; /* a memfd has none */
	if (has_name && (rlim_t)status->st_size > *largest)
		*largest = (rlim_t)status->st_size;
}

enum { INHERITED_MAX = 1024 };
static bool inherited[INHERITED_MAX];

static void note_inherited(int descriptor, void *context)
{
	(void)context;
	if (descriptor < INHERITED_MAX)
		inherited[descriptor] = true;
}

void files_note_inherited(void)
{
	memset(inherited, 0, sizeof(inherited));
	files_walk_descriptors(note_inherited, NULL);
}

static void note_descriptor(int descriptor, void *context)
{
	struct stat status;
	bool is_inherited = descriptor < INHERITED_MAX && inherited[descriptor];
	if (!is_inherited && fstat(descriptor, &status) == 0)
		note_size(&status, context);
}

rlim_t files_size_of_largest(void)
{
	rlim_t largest = 0;
	struct stat status;
	DIR *folder = opendir(".");
	files_walk_descriptors(note_descriptor, &largest);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			note_size(&status, &largest);
	}
	if (folder)
		(void)closedir(folder);
	return largest;
}

enum { DEPTH = 16 };

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	return remove(path);
}

static int remove_below(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type;
	return place->level > 0 ? remove(path) : 0;
}

void files_remove(const char *folder)
{
	(void)nftw(folder, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
}

void files_empty(const char *folder)
{
	(void)nftw(folder, remove_below, DEPTH, FTW_DEPTH | FTW_PHYS);
}

/* Of the walk through the folder that is copied; nftw() takes no context. */
static struct {
	size_t from_size, count;
	const char *to;
} copying;

_Noreturn static void give_up(const char *path)
{
	(void)fprintf(stderr, "cannot copy %s: %s\n", path, strerror(errno));
	_exit(99);
}

static void copy_file(const char *from, const char *to)
{
	char part[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t size = -1;
	while (in >= 0 && out >= 0 && (size = read(in, part, sizeof(part))) > 0) {
		if (write(out, part, (size_t)size) != size)
			give_up(to);
	}
	if (size != 0)
		give_up(from);
	(void)close(in);
	(void)close(out);
}

static int copy_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	char to[PATH_MAX];
	(void)status, (void)place;
	(void)snprintf(to, sizeof(to), "%s%s", copying.to, path + copying.from_size);
	if (type == FTW_D && mkdir(to, 0700) != 0 && errno != EEXIST)
		give_up(to);
	if (type == FTW_F) {
		copy_file(path, to);
		copying.count++;
	}
	return 0;
}

size_t files_copy(const char *from, const char *to)
{
	copying.from_size = strlen(from);
	copying.to = to;
	copying.count = 0;
	if (nftw(from, copy_one, DEPTH, FTW_PHYS) != 0)
		give_up(from);
	return copying.count;
}
