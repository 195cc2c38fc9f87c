/* Folders in memory; the numbers stand in statfs(2). */
#include "folder/volatile.h"

#include <sys/vfs.h>

bool folder_is_volatile(const char *folder)
{
	enum { TMPFS = 0x01021994 };
	static const unsigned long ramfs = 0x858458f6;
	struct statfs status;
	if (statfs(folder, &status) != 0)
		return false;
	return (unsigned long)status.f_type == TMPFS || (unsigned long)status.f_type == ramfs;
}
