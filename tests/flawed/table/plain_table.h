/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_TABLE_H
#define FLAWED_PLAIN_TABLE_H

enum flaw {
	NONE,
	TAKES_ERRORS_FOR_UNKNOWN, /* of its file */
	DROPS_ITS_TABLE,          /* when it starts */
	KEEPS_ITS_FILE_OPEN,      /* from one life to the next */
};

extern const enum flaw flaw;

#endif
