/*
 * The memory limit; see memory_limit.h.
 */
#include "base/memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "max" and other words are no limit. */
static uint64_t read_limit(const char *folder, const char *name)
{
	char path[PATH_MAX];
	uint64_t limit;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return UINT64_MAX;
	FILE *file = fopen(path, "re");
	if (!file || fscanf(file, "%" SCNu64, &limit) != 1)
		limit = UINT64_MAX;
	if (file)
		(void)fclose(file);
	return limit;
}

/* The least of a group and those around it, up to `top`. */
static uint64_t least_of(const char *top, const char *group, const char *name)
{
	char folder[PATH_MAX];
	uint64_t least = UINT64_MAX;
	if ((size_t)snprintf(folder, sizeof(folder), "%s%s", top, group) >= sizeof(folder))
		return least;
	for (;;) {
		uint64_t limit = read_limit(folder, name);
		least = limit < least ? limit : least;
		char *slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < strlen(top))
			return least;
		*slash = '\0';
	}
}

static bool is_of_memory(const char *controllers)
{
	for (const char *at = controllers; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
		if (strcspn(at, ",") == 6 && strncmp(at, "memory", 6) == 0)
			return true;
	return false;
}

/* A line is NUMBER:CONTROLLERS:GROUP; version 2 has no controllers. */
static uint64_t limit_of_line(char *line, const char *groups)
{
	char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL,
	     top[PATH_MAX];
	if (!group)
		return UINT64_MAX;
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	group = strcmp(group, "/") == 0 ? group + 1 : group;
	if (!*++controllers)
		return least_of(groups, group, "memory.max");
	(void)snprintf(top, sizeof(top), "%s/memory", groups);
	return is_of_memory(controllers) ? least_of(top, group, "memory.limit_in_bytes") : UINT64_MAX;
}

uint64_t memory_limit_at(const char *process, const char *groups, uint64_t machine)
{
	char path[PATH_MAX], line[PATH_MAX];
	uint64_t least = machine;
	(void)snprintf(path, sizeof(path), "%s/cgroup", process);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t limit = limit_of_line(line, groups);
		least = limit < least ? limit : least;
	}
	if (file)
		(void)fclose(file);
	return least;
}

uint64_t memory_limit(void)
{
	return memory_limit_at("/proc/self", "/sys/fs/cgroup",
	                       (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}
