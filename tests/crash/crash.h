/*
 * States that a crash can leave behind, all of them, and what was promised by then.
 *
 * A subject runs once with its files logged (disk_log.h). From the log every state is made that a disk may have when the
 * machine dies after any of the operations: all that was written, and with up to two pages of those not yet synced
 * missing or torn between two sectors; with everything unsynced missing; with names that were not synced missing or back;
 * with what was written through memory absent, as it is, or as it was at any time since it was last synced.
 * In each the subject starts again and says what it has.
 */
#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/disk_log.h"

enum { EVENTS_MAX = 4096 };

enum note { NOTE_ACKNOWLEDGED = 1, NOTE_DONE };

/* What the disk has to hold. */
struct promise {
	unsigned events;                   /* numbers below it may be there */
	bool required[EVENTS_MAX];         /* acknowledged and not done */
	uint32_t acknowledged[EVENTS_MAX]; /* in which order; 0: it was not */
};

enum finding { FINDING_LOST, FINDING_DOUBLED, FINDING_ALTERED, FINDING_REORDERED, FINDING_REFUSED, FINDINGS };

struct findings {
	uint64_t states, counts[FINDINGS];
	char example[512]; /* the first */
};

void findings_note(struct findings *findings, enum finding finding, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct subject {
	const char *name;
	const char *mapped; /* how names of files end that are written through memory; NULL: none */
	/* Does its work in the folder, with notes of what it promises. */
	void (*run)(const char *folder, unsigned events);
	/* Starts in a folder as a crash left it, and counts what is wrong. `goes_on`: it is used afterwards, and started
	 * once more. */
	void (*check)(const char *folder, const struct promise *promise, bool goes_on, struct findings *findings);
};

extern const struct subject journal_subject, sqlite_subject;

/* Which states are made, and what is done with them. */
struct selection {
	unsigned share, shares; /* they are dealt out */
	unsigned pages_max; /* with pages missing or torn, after one operation: more are thinned evenly; 0: no bound */
	bool with_mapped;   /* states in which there is a file that is written through memory, too */
	unsigned relapses;  /* of so many states one: the recovery itself is failed, see relapse.c; 0: of none */
};

/* Makes the states in `folder` and has each checked. `promise`: what holds before the first operation. */
void states_check(const struct subject *subject, const struct disk_log *log, const struct promise *promise,
                  const char *folder, struct selection selection, struct findings *findings);

/* For each sync of the start in `folder` and of what follows it: it fails, and then the machine dies after any operation,
 * or the next start finds what this one left. Returns how many syncs there are. */
long relapse_check(const struct subject *subject, const char *folder, const struct promise *promise,
                   struct findings *findings);

/* A new folder in memory; it and its files are deleted with folder_remove(), the files alone with folder_empty(). */
struct folder {
	char path[32];
};
struct folder folder_make(void);
void folder_remove(const struct folder *folder);
void folder_empty(const char *folder);

#endif
