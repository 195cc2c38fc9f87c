/* See world.h. */
#include "conform/world.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform/files.h"

void world_enter(struct check *check, const struct world *world)
{
	char path[1024];
	(void)snprintf(path, sizeof(path), "%s/%zu", check_folder(check), world->number);
	check_that(check, mkdir(path, 0700) == 0 && chdir(path) == 0, "conform: cannot make the folder %s", path);
}

static void name_copy(struct check *check, char path[1024])
{
	(void)snprintf(path, 1024, "%s/older-copy", check_folder(check));
}

bool world_keep_copy(struct check *check)
{
	char path[1024];
	name_copy(check, path);
	return files_copy(".", path) > 0;
}

void world_go_back(struct check *check)
{
	char path[1024];
	name_copy(check, path);
	files_empty(".");
	(void)files_copy(path, ".");
}

const char *world_describe(const struct world *world)
{
	static const char *const faults[DISK_FAULTS] = {
		[DISK_EIO] = "failed with EIO",
		[DISK_ENOSPC] = "failed with ENOSPC",
		[DISK_SHORT] = "wrote half of what it was given",
		[DISK_EIO_READ] = "failed with EIO",
		[DISK_EIO_READ_ONCE] = "failed with EIO",
	};
	static _Thread_local char text[96];
	(void)snprintf(text, sizeof(text), "call %zu to the disk %s", world->at, faults[world->fault]);
	return text;
}

bool world_has_shown(struct check *check, int end)
{
	if (end == NOTHING_TO_SEE)
		return false;
	check_that(check, end == 0, "%s %d before its time",
	           end > 256 ? "the stage crashed: signal" : "the process exited with status",
	           end > 256 ? end - 256 : end);
	return true;
}
