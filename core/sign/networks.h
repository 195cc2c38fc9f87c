/*
 * The networks that a sender's requests come from. A stage that uses them may not include the core.
 */
#ifndef SIGN_NETWORKS_H
#define SIGN_NETWORKS_H

#include <stdbool.h>

#include <sluice/error.h>
#include <sluice/event.h>
#include <sluice/option.h>

struct networks;

/* Of "10.0.0.0/8", "2001:db8::/32", "192.0.2.1". NULL and a sentence if one is something else. */
struct networks *networks_create(const struct sluice_strings *texts, struct sluice_error *error);
void networks_destroy(struct networks *networks); /* NULL is allowed */

/* Whether the address is in one of them, or there are none. An absent address is in none. */
bool networks_have(const struct networks *networks, struct sluice_bytes address);

#endif
