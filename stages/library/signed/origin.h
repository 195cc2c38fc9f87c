/*
 * Where requests may come from: an option of every stage that proves senders, and the verdict on the others.
 */
#ifndef SIGNED_ORIGIN_H
#define SIGNED_ORIGIN_H

#include <sluice/stage.h>

#include "sign/networks.h"

#define NETWORKS_OPTION(type, member)                                                                                  \
	SLUICE_OPTION_STRINGS(                                                                                         \
		type, member, .name = "networks",                                                                      \
		.help = "the networks that requests may come from, such as 203.0.113.0/24; none named: any")

/* NULL and a sentence if one of the option's texts is no network. */
struct networks *origin_networks(const struct sluice_strings *texts, struct sluice_error *error);

/* False: the request comes from elsewhere, or its address is not known; the verdict on it is in *verdict_out. */
bool origin_fits(const struct networks *networks, struct sluice_event *event, enum sluice_verdict *verdict_out);

#endif
