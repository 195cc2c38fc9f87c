/*
 * Whether a recorded webhook could be sent again under another message id, as far as the settings of auth and parse tell.
 */
#ifndef RUNTIME_SIGNED_ID_H
#define RUNTIME_SIGNED_ID_H

#include "runtime/config.h"

/* False: the message id comes from what the auth stage has verified (auth:id), and that verifies no id. Otherwise
 * *warning_out is a sentence about a header that no signature covers, in the config's memory, or NULL. */
bool signed_id_check(struct config *config, const char **warning_out, struct sluice_error *error);

#endif
