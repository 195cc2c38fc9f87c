/* What can be wrong with the filters of this folder. */
#ifndef FLAWED_PLAIN_FILTER_H
#define FLAWED_PLAIN_FILTER_H

enum flaw {
	NONE,
	IS_WHOLE_AT_ONCE,
	READS_THE_FIRST,
	ADDS_WHEN_SETTLED,
	SAYS_DUPLICATE, /* itself, without a question */
	IGNORES_EPOCHS, /* of the store */
};

extern const enum flaw flaw;

#endif
