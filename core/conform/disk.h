/*
 * The disk of a check. The program's own fsync(), write() and their like come before those of the C library, also for
 * the stage and the libraries that it brings along: that is how a check sees what a stage does with its files, makes it
 * fail, and takes the power away. What goes on outside the folder of the check is left alone.
 *
 * In a check no sync reaches the real disk: what survives a power cut is decided here, and an elided sync costs nothing.
 * Writes of stdio are inside the C library and are not seen; its syncs and its files are.
 */
#ifndef CONFORM_DISK_H
#define CONFORM_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the files below `folder` are on this disk: their syncs do nothing. */
void disk_attach(const char *folder);

/* From now on it is known what is synced, what the files hold now included; and calls can be made to fail. */
void disk_remember(void);

enum disk_fault {
	DISK_EIO,           /* a write or a sync fails, once */
	DISK_ENOSPC,        /* likewise, writes alone, three times */
	DISK_SHORT,         /* a write takes half of it */
	DISK_EIO_READ,      /* every read fails until disk_mend() */
	DISK_EIO_READ_ONCE, /* one does */
	DISK_FAULTS,
};

/* The call number `at` (1: the next) that the fault can hit is hit. */
void disk_break(enum disk_fault fault, size_t at);

/* From now on every call to a file takes up to so long, so that processes and threads come between each other. */
void disk_slow_down(long most_ns);

/* No fault comes any more. Returns whether one has come. */
bool disk_mend(void);

/* How many writes and syncs there were since disk_remember(). */
size_t disk_calls(void);

/* Puts the folder into the state that a power cut leaves behind at worst, nothing that was not synced, and ends the
 * process with the status. Whoever is in a call of this disk stays there. */
_Noreturn void disk_cut_power(int status);

#endif
