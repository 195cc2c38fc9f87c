/* Addresses and networks, for the checks of an auth stage that goes by them. */
#ifndef CONFORM_NETWORKS_H
#define CONFORM_NETWORKS_H

#include "conform/check.h"

/* The check: where options name networks (10.1.0.0/16), a request is judged by all bits of the address that it comes
 * from, and by nothing that its sender can write. */
void networks_are_exact(struct check *check);

#endif
