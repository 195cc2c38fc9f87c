/*
 * The reader of pipeline files: whatever the bytes, it answers with a config or a sentence.
 *
 * An input is a file; what follows its first NUL, if there is one, is the argument of a --set. No stage is found, so a
 * good file gets as far as its first stage.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "runtime/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file of those bytes, by a name that is the same each time. */
static const char *write_file(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char name[64];
	if (fd < 0) {
		fd = memfd_create("pipeline", 0);
		(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t file_size = nul ? (size_t)(nul - data) : size;
	char *set = nul ? must_alloc(size - file_size) : NULL;
	if (set) {
		memcpy(set, nul + 1, size - file_size - 1);
		set[size - file_size - 1] = '\0';
	}
	const char *const sets[] = {set, NULL};
	struct config_request request = {.file = write_file(data, file_size), .sets = sets, .stage_path = "/nowhere"};
	struct sluice_error error = {0};
	struct config *config = config_load(&request, &error);
	if (!config && !error.text[0])
		abort();
	config_free(config);
	free(set);
	return 0;
}
