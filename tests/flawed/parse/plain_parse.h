/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_PARSE_H
#define FLAWED_PLAIN_PARSE_H

enum flaw {
	NONE,
	REFUSES_WHITE_SPACE,
	IGNORES_WHAT_FOLLOWS,
	TAKES_THE_LAST, /* of two values of a key */
	CONFUSES_KEYS,  /* U+0000 with U+FDD0 */
	RESERIALISES,
	COPIES_THE_PAYLOAD,
	FORGETS_THE_SEQUENCE,
	MAKES_UP_FIELDS,
	TAKES_LONG_NAMES,
	RECURSES,
	READS_ON,
	BLAMES_ITSELF,
	UNESCAPES_IN_PLACE,
	SHARES_A_BUFFER,
};

extern const enum flaw flaw;

#endif
