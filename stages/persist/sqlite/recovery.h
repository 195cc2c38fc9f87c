/*
 * Recovery: back to files that can be trusted, after a failed sync or with a file that is not where it was (disk.h).
 *
 * Nothing is acknowledged on the way. First what only the open files hold is brought to safety: from a deleted log into
 * the database, from a deleted database into a new one. Then all files are closed and opened again, the log is written
 * once more over itself and synced, a transaction is committed and the log is brought over from its beginning. Only if
 * all of that works the files are trusted. A database that somebody put in the place of ours is taken as it is, without
 * our log.
 */
#ifndef PERSIST_SQLITE_RECOVERY_H
#define PERSIST_SQLITE_RECOVERY_H

#include <stdbool.h>

#include <sluice/error.h>

struct keeper;

/* With the writer paused. False: the files stay doubted, for the reason that disk_get_doubt() then says. */
bool recovery_run(struct keeper *keeper);

/* Makes sure that the disk has what the log holds, and that it takes more. For files that were just opened: a process
 * before this one may have died after a sync that failed. With the writer paused, or before anybody uses it. */
bool recovery_settle(struct keeper *keeper, struct sluice_error *error);

#endif
