/*
 * crash-states SUBJECT EVENTS FAILING [PAGES]: runs the subject with EVENTS events, and once with FAILING events for each
 * sync that it makes, which then fails; starts it in every state that a crash can leave behind, but in PAGES of those with
 * pages missing or torn after each operation; prints how many there were and what was wrong with them. Exits 1 if
 * anything was.
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

static unsigned pages_max; /* see struct selection */

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

static void make_folder(char *path_out)
{
	if (!mkdtemp(path_out)) {
		perror(path_out);
		exit(2);
	}
}

static void remove_folder(const char *folder)
{
	folder_empty(folder);
	(void)rmdir(folder);
}

/* In a child each, with a folder in memory; what it found comes through a pipe. */
static pid_t start_share(const struct subject *subject, const struct disk_log *log, unsigned events,
                         struct selection selection, int out)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	char folder[] = "/dev/shm/sluice-crash-XXXXXX";
	struct findings findings = {0};
	make_folder(folder);
	disk_skip_syncs();
	states_check(subject, log, events, folder, selection, &findings);
	remove_folder(folder);
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

static void check_log(const struct subject *subject, const struct disk_log *log, unsigned events, bool with_mapped,
                      struct findings *findings)
{
	int pipes[2];
	(void)fflush(stdout); /* not by each child */
	if (pipe(pipes) != 0)
		exit(2);
	for (unsigned share = 0; share < SHARES; share++)
		(void)start_share(subject, log, events, (struct selection){share, SHARES, pages_max, with_mapped},
		                  pipes[1]);
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
static long record_and_check(const struct subject *subject, unsigned events, long fail_at, struct findings *findings)
{
	char folder[] = "/dev/shm/sluice-crash-XXXXXX";
	make_folder(folder);
	disk_log_start(folder, subject->mapped, fail_at, fail_at % 2 ? EIO : ENOSPC);
	subject->run(folder, events);
	struct disk_log log = disk_log_stop();
	long syncs = disk_log_syncs();
	remove_folder(folder);
	/* Where a sync has failed, what is in memory may say more than the disk has: such a start is refused, and rightly. */
	check_log(subject, &log, events, fail_at == 0, findings);
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

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5) {
		(void)fprintf(stderr, "usage: crash-states SUBJECT EVENTS FAILING [PAGES]\n");
		return 2;
	}
	static const struct subject *const subjects[] = {&journal_subject, &sqlite_subject};
	const struct subject *subject = NULL;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		subject = strcmp(subjects[i]->name, argv[1]) == 0 ? subjects[i] : subject;
	unsigned events = (unsigned)atoi(argv[2]), failing = (unsigned)atoi(argv[3]);
	pages_max = argc == 5 ? (unsigned)atoi(argv[4]) : 0;
	if (!subject || events >= EVENTS_MAX || failing >= EVENTS_MAX) {
		(void)fprintf(stderr, "crash-states: no such subject, or too many events\n");
		return 2;
	}
	char what[64];
	struct timespec since;
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	struct findings sound = {0}, failed = {0};
	(void)record_and_check(subject, events, 0, &sound);
	(void)snprintf(what, sizeof(what), "%s, %u events", subject->name, events);
	bool ok = report(what, &sound, &since);
	if (failing == 0)
		return !ok;
	(void)clock_gettime(CLOCK_MONOTONIC, &since);
	long at = 1;
	while (at < SYNCS_MAX && record_and_check(subject, failing, at, &failed) >= at)
		at++;
	(void)snprintf(what, sizeof(what), "%s, sync 1 to %ld fails", subject->name, at - 1);
	return !(report(what, &failed, &since) && ok);
}
