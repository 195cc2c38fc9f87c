/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_FORM_H
#define FLAWED_PLAIN_FORM_H

enum flaw {
	NONE,
	LEAKS_PER_EVENT, /* some bytes */
	SHARES_A_BUFFER,
	TAKES_LONG_IDS,
	TAKES_ANY_BYTES,     /* for an id */
	CONFUSES_ITS_FIELDS, /* the type with the stream */
	MISSES_ZEROS,        /* as the second digit behind a percent sign */
};

extern const enum flaw flaw;

#endif
