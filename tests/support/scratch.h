/*
 * Where tests put what they write: a folder for each run of a test program, in $TMPDIR or /tmp. It is removed when the
 * run ends, whatever became of the tests. The programs that they start find it as their TMPDIR.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

/* Short enough for a socket below it. */
enum { SCRATCH_SIZE = 64 };

/* An empty folder, which the user of a database server may reach. */
void scratch_folder(char path[SCRATCH_SIZE]);

/* One in /dev/shm. */
void scratch_folder_in_memory(char path[SCRATCH_SIZE]);

/* An empty file; returns a descriptor to write to it. */
int scratch_file(char path[SCRATCH_SIZE]);

/* Around a run. */
void scratch_make(void);
void scratch_remove(void);

#endif
