/*
 * The files of core/cli/server/templates, carried by the program.
 */
#ifndef CLI_SERVER_TEMPLATES_H
#define CLI_SERVER_TEMPLATES_H

#include "base/template.h"

extern const struct template_file template_files[]; /* ends with a NULL name */

#endif
