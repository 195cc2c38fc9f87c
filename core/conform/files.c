/* See files.h. */
#include "conform/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
