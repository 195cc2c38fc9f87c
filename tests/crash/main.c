/*
 * crash-states SUBJECT EVENTS FAILING [PAGES [RELAPSES]]: runs the subject with EVENTS events, and once with FAILING events
 * for each sync that it makes, which then fails; starts it in every state that a crash can leave behind, but in PAGES of
 * those with pages missing or torn after each operation; prints how many there were and what was wrong with them. Of
 * RELAPSES states with FAILING events one is started once for each sync of that start, which then fails, and is followed by
 * another crash and start. Exits 1 if anything was wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash/crash.h"

enum { SHARES = 2, SYNCS_MAX = 10000 };

static unsigned pages_max, relapses; /* see struct selection */

static const char *const finding_names[FINDINGS] = {"lost", "doubled", "altered", "reordered", "refused"};

void folder_empty(const char *folder)
{
	DIR *open = opendir(folder);
	const struct dirent *entry;
	while (open && (entry = readdir(open)) != NULL)
		if (entry->d_type == DT_REG)
			(void)unlinkat(dirfd(open), entry->d_name, 0);
	if (open)
		(void)closedir(open);
}

struct folder folder_make(void)
{
	struct folder folder = {"/dev/shm/sluice-crash-XXXXXX"};
	if (!mkdtemp(folder.path)) {
		perror(folder.path);
		exit(2);
	}
	return folder;
}

void folder_remove(const struct folder *folder)
{
	folder_empty(folder->path);
	(void)rmdir(folder->path);
}

/* In a child each, with a folder in memory; what it found comes through a pipe. */
static pid_t start_share(const struct subject *subject, const struct disk_log *log, unsigned events,
                         struct selection selection, int out)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	struct folder folder = folder_make();
	struct findings findings = {0};
	struct promise promise = {.events = events};
	disk_skip_syncs();
	states_check(subject, log, &promise, folder.path, selection, &findings);
	folder_remove(&folder);
	_exit(write(out, &findings, sizeof(findings)) == (ssize_t)sizeof(findings) ? 0 : 2);
}

static void add_findings(struct findings *all, const struct findings *more)
{
	all->states += more->states;
	for (int i = 0; i < FINDINGS; i++)
		all->counts[i] += more->counts[i];
	if (!all->example[0])
		memcpy(all->example, more->example, sizeof(all->example));
}

static void check_log(const struct subject *subject, const struct disk_log *log, unsigned events,
                      struct selection selection, struct findings *findings)
{
	int pipes[2];
	(void)fflush(stdout); /* not by each child */
	if (pipe(pipes) != 0)
		exit(2);
	selection.shares = SHARES;
	selection.pages_max = pages_max;
	for (; selection.share < SHARES; selection.share++)
		(void)start_share(subject, log, events, selection, pipes[1]);
	for (unsigned share = 0; share < SHARES; share++) {
		struct findings more;
		int status;
		if (wait(&status) < 0 || status != 0 || read(pipes[0], &more, sizeof(more)) != (ssize_t)sizeof(more)) {
			(void)fprintf(stderr, "crash-states: a share of the states could not be checked\n");
			exit(2);
		}
		add_findings(findings, &more);
	}
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

/* Returns how many syncs there were. */
static long record_and_check(const struct subject *subject, unsigned events, long fail_at, struct selection selection,
                             struct findings *findings)
{
	struct folder folder = folder_make();
	disk_log_start(folder.path, subject->mapped, fail_at, fail_at % 2 ? EIO : ENOSPC);
	subject->run(folder.path, events);
	struct disk_log log = disk_log_stop();
	long syncs = disk_log_syncs();
	folder_remove(&folder);
	check_log(subject, &log, events, selection, findings);
	disk_log_free(&log);
	return syncs;
}

static bool report(const char *what, const struct findings *findings, const struct timespec *since)
{
	struct timespec now;
	uint64_t wrong = 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)printf("%-34s %8llu states", what, (unsigned long long)findings->states);
	for (int i = 0; i < FINDINGS; i++) {
		(void)printf("  %s %llu", finding_names[i], (unsigned long long)findings->counts[i]);
		wrong += findings->counts[i];
	}
	(void)printf("  in %ld s\n", (long)(now.tv_sec - since->tv_sec));
	if (wrong)
		(void)printf("  such as: %s\n", findings->example);
	return wrong == 0;
}

static bool check_sound(const struct subject *subject, unsigned events)
{
	char what[64];
	struct timespec since;
	struct findings findings = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	(void)record_and_check(subject, events, 0, (struct selection){.with_mapped = true}, &findings);
	(void)snprintf(what, sizeof(what), "%s, %u events", subject->name, events);
	return report(what, &findings, &since);
}

/* What is in memory may say more than the disk has then: such a start is refused, and rightly. So there is nothing mapped. */
static bool check_failing(const struct subject *subject, unsigned events)
{
	char what[64];
	struct timespec since;
	struct findings findings = {0};
	long at = 1;
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	while (at < SYNCS_MAX && record_and_check(subject, events, at, (struct selection){0}, &findings) >= at)
		at++;
	(void)snprintf(what, sizeof(what), "%s, sync 1 to %ld fails", subject->name, at - 1);
	return report(what, &findings, &since);
}

static bool check_relapses(const struct subject *subject, unsigned events)
{
	char what[64];
	struct timespec since;
	struct findings findings = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	(void)record_and_check(subject, events, 0, (struct selection){.relapses = relapses}, &findings);
	(void)snprintf(what, sizeof(what), "%s, each sync of a start fails", subject->name);
	return report(what, &findings, &since);
}

static unsigned number_at(int argc, char **argv, int place)
{
	return argc > place ? (unsigned)atoi(argv[place]) : 0;
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 6) {
		(void)fprintf(stderr, "usage: crash-states SUBJECT EVENTS FAILING [PAGES [RELAPSES]]\n");
		return 2;
	}
	static const struct subject *const subjects[] = {&journal_subject, &sqlite_subject};
	const struct subject *subject = NULL;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		subject = strcmp(subjects[i]->name, argv[1]) == 0 ? subjects[i] : subject;
	unsigned events = number_at(argc, argv, 2), failing = number_at(argc, argv, 3);
	pages_max = number_at(argc, argv, 4);
	relapses = number_at(argc, argv, 5);
	if (!subject || events >= EVENTS_MAX || failing >= EVENTS_MAX) {
		(void)fprintf(stderr, "crash-states: no such subject, or too many events\n");
		return 2;
	}
	bool ok = check_sound(subject, events);
	ok &= failing == 0 || check_failing(subject, failing);
	ok &= relapses == 0 || check_relapses(subject, failing);
	return !ok;
}
