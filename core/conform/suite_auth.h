/* The checks of an auth stage that are not in suite_auth.c; the table there says what each is to find. */
#ifndef CONFORM_SUITE_AUTH_H
#define CONFORM_SUITE_AUTH_H

#include "base/buffer.h"
#include "conform/check.h"
#include "conform/valid.h"

/* The credential that the request gets, empty if it gets none. */
struct buffer auth_copy_label(struct check *check, struct bench *bench, const struct valid *valid);

void auth_labels_credentials(struct check *check);
void auth_refuses_an_empty_secret(struct check *check);

#endif
