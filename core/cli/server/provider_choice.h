/*
 * A provider as somebody types it.
 */
#ifndef CLI_SERVER_PROVIDER_CHOICE_H
#define CLI_SERVER_PROVIDER_CHOICE_H

#include <stdbool.h>

#include <sluice/error.h>

#include "sign/provider.h"

/* False and a sentence, with what could be meant, if there is none of that name. */
bool provider_choose(const char *name, const struct provider **provider_out, struct sluice_error *error);

#endif
