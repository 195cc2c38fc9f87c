/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_AUTH_H
#define FLAWED_PLAIN_AUTH_H

enum flaw {
	NONE,
	/* of an auth stage */
	LETS_IN_ONCE,
	WANTS_ITS_CASE,
	LETS_IN_UNSIGNED,
	RESERIALISES,
	COMPARES_THE_START,
	COMPARES_WHAT_IS_THERE,
	IGNORES_TIME,
	TAKES_THE_FIRST_OF_TWO, /* headers that contradict each other */
	GOES_BY_THE_CLOCK,      /* and not by when the request was received */
	TELLS_WHAT_IS_WRONG,
	CHANGES_THE_BODY,
	SHARES_A_BUFFER,
	SHOWS_ITS_KEYS, /* to whoever prints options */
	ADMITS_AN_EMPTY_KEY,
	CHALLENGES_NOBODY,
	LABELS_WITH_ITS_SECRET,
	/* of any stage */
	FAILS_ITS_SELF_TEST,
	FAILS_AT_ITS_BOUND,
	LEAKS_ITS_STATE,
	LEAKS_A_DESCRIPTOR,
	LEAKS_PER_EVENT,
	LOGS_ITS_SECRET,
	PRINTS_ITS_SECRET,
	REJECTS_WITHOUT_A_WORD,
	SAYS_DONE,
	COUNTS_ON_MEMORY,
	KEEPS_A_POINTER,
	SERVES_ONE_AT_A_TIME,
	OBSERVES_SLOWLY,
	OBSERVES_NOTHING_USEFUL,
	CLOSES_AT_DRAIN,
	RESPONDS_AND_PASSES,
	SETS_THE_LENGTH, /* of the response */
	TICKS_BACKWARDS,
	CLOSES_TO_TICK,
	HANGS,
	EXITS,
};

extern const enum flaw flaw;

/* What a stage says of itself, where it does not say the usual. */
extern const char summary[];

#endif
