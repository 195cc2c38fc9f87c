/* What can be wrong with the stages of this folder. */
#ifndef FLAWED_PLAIN_STORE_H
#define FLAWED_PLAIN_STORE_H

enum flaw {
	NONE,
	FORGETS_THE_LAST,       /* of a batch */
	ACKNOWLEDGES_FIRST,     /* a batch is written when the next one comes, or at the end */
	CUTS_AT_NUL,            /* payloads are texts to it */
	EMPTIES_WHAT_IS_ABSENT, /* the stream */
	ROUNDS_SEQUENCES,
	DIGESTS_THE_PAYLOAD, /* and nothing else */
	STORES_DUPLICATES,
	FORGETS_IDS,         /* of its earlier lives */
	MISSES_TWINS,        /* looks for duplicates in the store and not in the batch */
	REJECTS_A_CONFLICT,  /* by its status alone */
	OVERWRITES,          /* what is stored with what comes under its id */
	STOPS_AT_POISON,     /* and with it the rest of the batch */
	REORDERS,            /* a batch */
	STORES_PAST_A_RETRY, /* each event alone, whatever has become of those before it */
	SCANS_UNSORTED,
	SCANS_FROM_THE_START,
	SCANS_ON,
	BREAKS_THE_CHAIN, /* each audit row is a first one */
	LOGS_NO_HEAD,     /* of its chain */
	COVERS_THE_FIRST, /* of a transaction, and not the others */
	CREATES_WHAT_IT_READS,
	STORES_THE_DEAD, /* among the living */
	FORGETS_THE_REASON,
	DROPS_ALL_THE_DEAD, /* when one is dropped */
	WRITES_UNLOCKED,
	CHECKS_THEN_INSERTS, /* with the lock let go between the two */
	FORGETS_WHEN_KILLED, /* what its last life stored, unless that ended in order */
	IGNORES_A_FULL_DISK,
	SYNCS_NOTHING,
	SYNCS_NO_FOLDER,
	KEEPS_A_TORN_TAIL,        /* and writes behind it */
	KEEPS_TWINS_DONE,         /* of an event whose batch could not be written */
	KNOWS_ITS_NEWEST_FILE,    /* and no id that is in an older one */
	TAKES_ERRORS_FOR_THE_END, /* of its file */
	MISSES_LATE_CONFLICTS,    /* behind the third event of a batch */
	IGNORES_OTHERS,           /* processes that write to the file */
	IGNORES_A_CUT,            /* of a connection that it has to a part of itself */
	LEAKS_WHEN_REFUSED,       /* a descriptor */
	MIXES_LOCATIONS,          /* all those made for a laboratory */
	LOSES_ROWS_WHEN_MAINTAINED,
	SHOWS_NO_STATS,
	WRITES_ITS_STATS, /* to a file beside the store */
	DROPS_ANYTHING,
	DROPS_NOTHING,        /* and says that it has */
	FORGETS_BY_THE_CLOCK, /* what is older than a day when it starts */
	ANNOUNCES_ITS_PATH,   /* whatever has become of the file there */
};

extern const enum flaw flaw;

#endif
