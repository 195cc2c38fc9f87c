/*
 * A made-up record of a host: seconds in which a server works on a machine that nobody disturbs, some of which a test then changes.
 * Included by the files that test what comes of one.
 *
 *     struct host_record record = host_record_calm(30);
 *     record.seconds[12].sync_ms = 900;
 *     record.seconds[12].others_kb = 60000;
 *     host_record_save(&record, folder);
 */
#ifndef TESTS_HOST_RECORD_H
#define TESTS_HOST_RECORD_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab/run/run.h"

enum { HOST_RECORD_MAX = 128, HOST_RECORD_IDLE_MS = 2000 /* the load begins then */ };

struct host_record_second {
	double sync_ms;            /* of the one that begins 100 ms after the second does; the others take 3 ms */
	double late_ms, queued_ms; /* of one process woken late, in the middle; 0: none */
	double server_ms, laboratory_ms, others_ms, stolen_ms;
	double server_kb, laboratory_kb, others_kb, disk_kb, read_kb;
	double flushes, busy_ms, memory_ms;
};

struct host_record {
	struct host_record_second seconds[HOST_RECORD_MAX];
	size_t count;
};

static inline struct host_record host_record_calm(size_t seconds)
{
	struct host_record record = {.count = seconds};
	for (size_t i = 0; i < seconds; i++)
		record.seconds[i] = (struct host_record_second){.sync_ms = 3,
		                                                .server_ms = 300,
		                                                .laboratory_ms = 80,
		                                                .others_ms = 10,
		                                                .server_kb = 1500,
		                                                .laboratory_kb = 40,
		                                                .others_kb = 20,
		                                                .disk_kb = 4000,
		                                                .flushes = 400,
		                                                .busy_ms = 150};
	return record;
}

static inline void host_record_write_second(FILE *file, size_t i, const struct host_record_second *second)
{
	double begin_ms = 1e3 * (double)i;
	(void)fprintf(file, "{\"at_ms\": %.3f, \"took_ms\": 1000, \"late_max_ms\": 0.2, \"late\": [", begin_ms + 1e3);
	if (second->late_ms > 0)
		(void)fprintf(file, "[%.3f, %.3f, %.3f]", begin_ms + 500, second->late_ms, second->queued_ms);
	(void)fprintf(file, "], \"syncs\": [[%.3f, 3]", begin_ms);
	for (int k = 1; k < 10; k++)
		(void)fprintf(file, ", [%.3f, %.3f]", begin_ms + 100 * k, k == 1 ? second->sync_ms : 3);
	(void)fprintf(file,
	              "], \"processor_ms\": {\"server\": %g, \"laboratory\": %g, \"others\": %g, \"stolen\": %g}, "
	              "\"written_bytes\": {\"server\": %g, \"laboratory\": %g, \"others\": %g, \"disks\": %g}, "
	              "\"disks\": {\"read_bytes\": %g, \"flushes\": %g, \"busy_ms\": %g}, "
	              "\"pressure_ms\": {\"cpu\": 1, \"io\": 2, \"memory\": %g}}\n",
	              second->server_ms, second->laboratory_ms, second->others_ms, second->stolen_ms,
	              1024 * second->server_kb, 1024 * second->laboratory_kb, 1024 * second->others_kb,
	              1024 * second->disk_kb, 1024 * second->read_kb, second->flushes, second->busy_ms,
	              second->memory_ms);
}

static inline void host_record_save(const struct host_record *record, const char *directory)
{
	char *path = run_file(directory, RUN_HOST);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	(void)fprintf(file, "{\"format\": 1, \"processors\": 2}\n");
	for (size_t i = 0; i < record->count; i++)
		host_record_write_second(file, i, &record->seconds[i]);
	ck_assert_int_eq(fclose(file), 0);
	free(path);
}

#endif
