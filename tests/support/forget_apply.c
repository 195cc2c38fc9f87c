/*
 * forget-apply MEMORY DIRECTORY: after the death of a process that forget.so was preloaded into, takes from DIRECTORY
 * all that was not synced. The memory is empty afterwards: a next life begins with what is left.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

_Noreturn static void give_up(const char *what)
{
	(void)fprintf(stderr, "forget-apply: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void remove_all(const char *folder)
{
	DIR *open = opendir(folder);
	if (!open)
		give_up(folder);
	const struct dirent *entry;
	while ((entry = readdir(open)) != NULL) {
		if (entry->d_type == DT_REG && unlinkat(dirfd(open), entry->d_name, 0) != 0)
			give_up(entry->d_name);
	}
	(void)closedir(open);
}

/* A file whose name was synced and whose content never was is there and empty. */
static void restore(const char *from, const char *to)
{
	char chunk[65536];
	size_t size;
	FILE *in = fopen(from, "rbe"), *out = fopen(to, "wbe");
	if (!out || (!in && errno != ENOENT))
		give_up(to);
	while (in && (size = fread(chunk, 1, sizeof(chunk), in)) > 0) {
		if (fwrite(chunk, 1, size, out) != size)
			give_up(to);
	}
	if (in)
		(void)fclose(in);
	if (fclose(out) != 0)
		give_up(to);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fputs("usage: forget-apply MEMORY DIRECTORY\n", stderr);
		return 2;
	}
	char from[PATH_ROOM], to[PATH_ROOM], key[80], name[256];
	(void)snprintf(from, sizeof(from), "%s/names", argv[1]);
	FILE *names = fopen(from, "re");
	if (!names)
		give_up(from);
	remove_all(argv[2]);
	while (fscanf(names, "%79s %255[^\n]", key, name) == 2) {
		(void)snprintf(from, sizeof(from), "%s/file-%s", argv[1], key);
		(void)snprintf(to, sizeof(to), "%s/%s", argv[2], name);
		restore(from, to);
	}
	(void)fclose(names);
	remove_all(argv[1]);
	return 0;
}
