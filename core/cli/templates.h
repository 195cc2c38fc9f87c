/*
 * The files of core/cli/templates, carried by the program: core/cmake/SluiceEmbed.cmake makes the table of them.
 */
#ifndef CLI_TEMPLATES_H
#define CLI_TEMPLATES_H

#include <stddef.h>

struct template_file {
	const char *name;
	const unsigned char *data; /* not NUL-terminated */
	size_t size;
};

extern const struct template_file template_files[]; /* ends with a NULL name */

/* The file of that name, which must be there. */
const struct template_file *template_find(const char *name);

#endif
