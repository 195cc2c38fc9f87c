/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_IDEMPOTENCY_H
#define FLAWED_PLAIN_IDEMPOTENCY_H

enum flaw {
	NONE,
	IGNORES_CASE,
	FORGETS_WHAT_IS_KEPT,
	IGNORES_CONTENT,
	LETS_TWINS_GO,
	RESUMES_TWICE,
	DROPS_THE_HEIR,
	FORGETS_TO_RELEASE,
	CHECKS_THEN_INSERTS,
	NEVER_FORGETS,
	EXPIRES_BY_THE_CLOCK, /* on the wall */
	REMEMBERS_ONE,
	TAKES_NONE_FOR_AN_ID,
	REJECTS_A_CONFLICT, /* by its status alone */
	IGNORES_EPOCHS,     /* of the store */
	GIVES_ITS_HEIR_ITS_CONTENT,
	FORGETS_HEIRS, /* that are stored */
	SETTLES_UNLOCKED,
	LOOKS_BACK,      /* at what it has resumed */
	COUNTS_ONE_MORE, /* in flight */
};

extern const enum flaw flaw;

#endif
