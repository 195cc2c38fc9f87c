#include "support/scratch.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OWN_SIZE = 16, DEPTH = 16 };

static char scratch[SCRATCH_SIZE];

static void name_in_memory(char path[SCRATCH_SIZE])
{
	(void)snprintf(path, SCRATCH_SIZE, "/dev/shm%s", strrchr(scratch, '/'));
}

static void name_within(char path[SCRATCH_SIZE], const char *folder)
{
	(void)snprintf(path, SCRATCH_SIZE, "%.*s/sluice-XXXXXX", SCRATCH_SIZE - OWN_SIZE, folder);
}

void scratch_folder(char path[SCRATCH_SIZE])
{
	name_within(path, scratch);
	ck_assert_msg(mkdtemp(path) != NULL, "%s: cannot be made", path);
}

void scratch_folder_in_memory(char path[SCRATCH_SIZE])
{
	char folder[SCRATCH_SIZE];
	name_in_memory(folder);
	(void)mkdir(folder, 0755);
	name_within(path, folder);
	ck_assert_msg(mkdtemp(path) != NULL, "%s: cannot be made", path);
}

int scratch_file(char path[SCRATCH_SIZE])
{
	name_within(path, scratch);
	int fd = mkstemp(path);
	ck_assert_msg(fd >= 0, "%s: cannot be made", path);
	return fd;
}

void scratch_make(void)
{
	const char *parent = getenv("TMPDIR");
	if (!parent || strlen(parent) > sizeof(scratch) - 2 * OWN_SIZE - 1)
		parent = "/tmp";
	(void)snprintf(scratch, sizeof(scratch), "%s/sluice-unit-XXXXXX", parent);
	if (!mkdtemp(scratch) || chmod(scratch, 0755) != 0 || setenv("TMPDIR", scratch, 1) != 0) {
		perror(scratch);
		exit(2);
	}
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status, (void)type, (void)place;
	(void)remove(path);
	return 0;
}

void scratch_remove(void)
{
	char in_memory[SCRATCH_SIZE];
	name_in_memory(in_memory);
	(void)nftw(scratch, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
	(void)nftw(in_memory, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
}
