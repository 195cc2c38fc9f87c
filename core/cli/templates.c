/* The files that the program carries; see templates.h. */
#include "templates.h"

#include <assert.h>
#include <string.h>

const struct template_file *template_find(const char *name)
{
	const struct template_file *file = template_files;
	while (file->name && strcmp(file->name, name) != 0)
		file++;
	assert(file->name);
	return file;
}
