/* A private PostgreSQL for a test. */
#include "support/postgres.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "support/scratch.h"

static const unsigned long PLENTY = 4UL << 30; /* bytes: for some dozen servers at once */

static void run(const char *verb, const char *directory, const char *settings, char *output, int room)
{
	char command[1024], line[512] = "";
	(void)snprintf(command, sizeof(command),
	               "SLUICE_POSTGRES_FSYNC=none SLUICE_POSTGRES_AUTH=md5 " TEST_SOURCE_DIR
	               "/tests/support/postgres.sh %s %s %s",
	               verb, directory, settings);
	FILE *pipe = popen(command, "re");
	ck_assert_msg(pipe != NULL, "cannot run %s", command);
	while (fgets(line, sizeof(line), pipe) && output)
		(void)snprintf(output, (size_t)room, "%.*s", (int)strcspn(line, "\n"), line);
	ck_assert_msg(pclose(pipe) == 0, "postgres.sh %s failed", verb);
}

/* A cluster is a thousand files, none of which is synced: they are in memory where there is plenty of it. */
static void make_directory(char path[SCRATCH_SIZE])
{
	struct statvfs memory;
	if (statvfs("/dev/shm", &memory) == 0 && memory.f_bavail > PLENTY / memory.f_frsize)
		scratch_folder_in_memory(path);
	else
		scratch_folder(path);
}

void postgres_start(struct postgres *postgres, const char *settings)
{
	make_directory(postgres->directory);
	run("start", postgres->directory, settings, postgres->url, sizeof(postgres->url));
	ck_assert_int_eq(sscanf(postgres->url, "postgresql://sluice:%63[^@]", postgres->password), 1);
}

void postgres_start_standby(struct postgres *standby, const struct postgres *primary)
{
	make_directory(standby->directory);
	run("standby", standby->directory, primary->directory, standby->url, sizeof(standby->url));
	(void)strcpy(standby->password, primary->password);
}

void postgres_promote(const struct postgres *standby)
{
	run("promote", standby->directory, "", NULL, 0);
}

void postgres_reload(const struct postgres *postgres, const char *settings)
{
	run("reload", postgres->directory, settings, NULL, 0);
}

void postgres_save(const struct postgres *postgres, const char *name)
{
	run("save", postgres->directory, name, NULL, 0);
}

void postgres_restore(const struct postgres *postgres, const char *name)
{
	run("restore", postgres->directory, name, NULL, 0);
}

int postgres_port(const struct postgres *postgres)
{
	int port = 0;
	ck_assert_int_eq(sscanf(strrchr(postgres->url, ':'), ":%d", &port), 1);
	return port;
}

void postgres_kill(const struct postgres *postgres)
{
	run("kill", postgres->directory, "", NULL, 0);
}

void postgres_halt(const struct postgres *postgres)
{
	run("halt", postgres->directory, "", NULL, 0);
}

void postgres_restart(const struct postgres *postgres, const char *settings)
{
	run("restart", postgres->directory, settings, NULL, 0);
}

void postgres_stop(const struct postgres *postgres)
{
	run("stop", postgres->directory, "", NULL, 0);
}
