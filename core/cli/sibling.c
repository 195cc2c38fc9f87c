/*
 * Found by where this program is; see sibling.h.
 */
#include "cli/sibling.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

char *sibling_path(const char *name, struct arena *arena)
{
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
	while (size > 0 && self[size - 1] != '/')
		size--;
	return arena_printf(arena, "%.*s%s", size > 0 ? (int)size : 0, self, name);
}

int sibling_become(const char *name, char **argv)
{
	struct arena arena;
	arena_init(&arena, PATH_MAX, NULL);
	char *path = sibling_path(name, &arena), *called = argv[0];
	argv[0] = path;
	(void)execv(path, argv);
	argv[0] = called;
	(void)fprintf(stderr, "sluice %s: cannot start %s, which is installed with sluice: %s\n", argv[1], path,
	              strerror(errno));
	arena_finish(&arena);
	return STATUS_CANNOT;
}
