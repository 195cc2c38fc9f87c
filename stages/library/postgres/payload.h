/* The three forms a payload can be kept in. */
#ifndef POSTGRES_PAYLOAD_H
#define POSTGRES_PAYLOAD_H

#include <stdbool.h>

#include "connection.h"

struct payload_form {
	const char *type;       /* of the column, and the name of the choice */
	const char *written_as; /* of parameter $5 */
	const char *read_as;    /* yields bytes */
	bool takes_text; /* parameter $5 is a text, which PostgreSQL casts and may refuse; bytea takes any bytes */
	bool exact;      /* what is read is what was written */
};

/* By enum payload_type. */
extern const struct payload_form payload_forms[];

#endif
