/* What can be wrong with the stages of this folder. One that defines VOLATILE is not durable. */
#ifndef FLAWED_PLAIN_QUEUE_H
#define FLAWED_PLAIN_QUEUE_H

enum flaw {
	NONE,
	PARKS, /* no flaw: put() says WAIT, and a thread writes the journal */
	NEWEST_FIRST,
	FORGETS_AT_THE_END, /* of its ring: the event that would stand in the last place */
	YIELDS_TWICE,       /* what it yielded last, when it is empty */
	BLOCKS_WHEN_EMPTY,
	TAKES_ONE_MORE,
	IGNORES_ITS_BOUND,
	COUNTS_WHAT_WAITS, /* and not what was taken */
	DONE_FREES_NOTHING,
	DONE_IN_ORDER, /* or not at all */
	PUTS_UNLOCKED,
	RESUMES_TWICE,
	YIELDS_WHAT_WAITS, /* for its journal */
	FORGETS_AT_DRAIN,
	DURABLE_IN_NAME,
	BUFFERS, /* its journal, until it is closed */
	SYNCS_NOTHING,
	IGNORES_A_FAILING_DISK,
	KEEPS_A_TORN_TAIL,    /* and writes behind it */
	FORGETS_SOME_DONE,    /* every third event */
	FORGETS_WHAT_IS_DONE, /* to have been done */
	ALL_DONE_IS_DONE,     /* also what was to be retried */
	CUTS_AT_NUL,          /* payloads are texts to it */
	NEW_BEFORE_OLD,
	COUNTS_NO_BACKLOG,
	TELLS_OF_NOTHING, /* in recover() */
	SKIPS_WHAT_IT_CANNOT_READ,
	SHOWS_WHAT_WAITS,     /* as what is inside */
	RESTORES_ONCE,        /* and if the pool is full then, not again */
	FORGETS_BY_THE_CLOCK, /* what its journal has had for more than a day */
	LEAVES_A_GAP,         /* in a journal that is shorter than it was */
};

extern const enum flaw flaw;

#endif
