/*
 * The settings of the webhook listener, for threads that read them at any time: what was in use once stays where it is until
 * the end, and settings that come again are found again. So there are as many as different ones were in use.
 */
#ifndef SERVE_LISTEN_SETTINGS_H
#define SERVE_LISTEN_SETTINGS_H

#include "runtime/config.h"

struct listen_settings; /* a list, newest first; starts as NULL */

/* A copy of these settings that lasts. One thread at a time. */
const struct listen_config *listen_settings_keep(struct listen_settings **settings, const struct listen_config *listen);
void listen_settings_finish(struct listen_settings **settings);

#endif
