/* A start whose own syncs fail, and the start after it; see crash.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/crash.h"

enum { SYNCS_MAX = 1000, PAGES_MAX = 2 };

static void copy_file(int from_folder, int to_folder, const char *name)
{
	struct stat status;
	int from = openat(from_folder, name, O_RDONLY | O_CLOEXEC);
	int to = openat(to_folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (from < 0 || to < 0 || fstat(from, &status) != 0 ||
	    sendfile(to, from, NULL, (size_t)status.st_size) != status.st_size) {
		perror(name);
		exit(2);
	}
	(void)close(from);
	(void)close(to);
}

static void copy_folder(const char *from_path, const char *to_path)
{
	DIR *from = opendir(from_path), *to = opendir(to_path);
	const struct dirent *entry;
	folder_empty(to_path);
	while (from && to && (entry = readdir(from)) != NULL)
		if (entry->d_type == DT_REG)
			copy_file(dirfd(from), dirfd(to), entry->d_name);
	(void)closedir(from);
	(void)closedir(to);
}

/* What the life in the log has acknowledged besides. */
static struct promise promise_after(const struct promise *promise, const struct disk_log *log)
{
	struct promise after = *promise;
	for (size_t i = log->first; i < log->count; i++) {
		const struct disk_op *op = &log->ops[i];
		if (op->kind == DISK_NOTE && op->note == NOTE_ACKNOWLEDGED) {
			after.required[op->number] = true;
			after.acknowledged[op->number] = UINT32_MAX;
		}
	}
	return after;
}

/* That it was refused is no finding: it may be, until a start whose syncs succeed. */
static void add_all_but_refused(struct findings *findings, const struct findings *more)
{
	for (int i = 0; i < FINDINGS; i++)
		findings->counts[i] += i == FINDING_REFUSED ? 0 : more->counts[i];
	if (!findings->example[0] && !more->counts[FINDING_REFUSED])
		memcpy(findings->example, more->example, sizeof(findings->example));
}

/* Returns how many syncs there were. */
static long fail_one(const struct subject *subject, const struct folder *again, const struct folder *states,
                     const struct promise *promise, long fail_at, struct findings *findings)
{
	struct findings life = {0};
	disk_log_start(again->path, subject->mapped, fail_at, fail_at % 2 ? EIO : ENOSPC);
	subject->check(again->path, promise, true, &life);
	struct disk_log log = disk_log_stop();
	add_all_but_refused(findings, &life);

	struct promise room = *promise; /* for the event that it may have taken */
	room.events++;
	struct promise after = promise_after(&room, &log);
	findings->states++;
	subject->check(again->path, &after, true, findings);
	states_check(subject, &log, &room, states->path, (struct selection){.shares = 1, .pages_max = PAGES_MAX},
	             findings);
	disk_log_free(&log);
	return disk_log_syncs();
}

long relapse_check(const struct subject *subject, const char *folder, const struct promise *promise,
                   struct findings *findings)
{
	struct folder again = folder_make(), states = folder_make();
	long at = 0, syncs = 0;
	do {
		at++;
		copy_folder(folder, again.path);
		syncs = fail_one(subject, &again, &states, promise, at, findings);
	} while (at <= syncs && at < SYNCS_MAX);
	folder_remove(&again);
	folder_remove(&states);
	return syncs;
}
