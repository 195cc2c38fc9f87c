/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_ADDRESS_H
#define FLAWED_PLAIN_ADDRESS_H

enum flaw {
	NONE,
	SHARES_A_BUFFER,    /* for the address as a number */
	IGNORES_BITS,       /* of a prefix beyond its last whole byte */
	REFUSES_WITH_401,   /* whom its author says to refuse with 403 */
	TAKES_THE_LEFTMOST, /* address of X-Forwarded-For, which anybody can write */
};

extern const enum flaw flaw;

#endif
