/*
 * The host meter; see host_meter.h. Two threads measure, each waiting for one thing, so that neither is late for the other's sake;
 * the main thread reads /proc and writes.
 */
#include "lab/trial/host_meter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/process.h"
#include "lab/load/about.h"
#include "lab/run/run.h"
#include "lab/trial/host_figures.h"

#define WAKE_EVERY_NS NS_PER_MS
#define LATE_NOTED_NS (5 * NS_PER_MS)
#define SYNC_EVERY_NS (100 * NS_PER_MS)
#define LOOK_EVERY_NS NS_PER_S
#define PROBE ".host-probe" /* hidden: no part of the run */
enum {
	SYNC_SIZE = 4096,
	PROBES_MAX = 2048, /* kept from one look to the next; ten are usual */
	THREADS = 2,
	STACK_SIZE = 256 * 1024,
};

struct host_meter {
	pid_t process;
	int lifeline; /* closed: the meter ends */
};

struct probe {
	int64_t from_ns, took_ns, queued_ns;
};

struct probes {
	struct probe list[PROBES_MAX];
	size_t count;
};

/* In the process of its own. */
struct measuring {
	int64_t origin_ns;
	int probe_file;
	FILE *out;
	pid_t laboratory;
	_Atomic bool stopping;
	pthread_mutex_t lock; /* of what follows */
	struct probes late, syncs;
	int64_t late_max_ns;
};

static void sleep_until(int64_t at_ns)
{
	struct timespec until = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void note(struct probes *probes, int64_t from_ns, int64_t took_ns, int64_t queued_ns)
{
	if (probes->count < PROBES_MAX)
		probes->list[probes->count++] = (struct probe){from_ns, took_ns, queued_ns};
}

/* How long this thread has stood in the run queue; schedstat: time on the processor, time in the queue, slices. */
static int64_t queued_ns(int schedstat)
{
	char text[96];
	char *rest;
	ssize_t size = pread(schedstat, text, sizeof(text) - 1, 0);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	(void)strtoll(text, &rest, 10);
	return strtoll(rest, NULL, 10);
}

static void *measure_waking(void *context)
{
	struct measuring *measuring = context;
	int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	int64_t queued_before = queued_ns(schedstat);
	for (int64_t due_ns = clock_now_ns() + WAKE_EVERY_NS; !measuring->stopping;) {
		sleep_until(due_ns);
		int64_t now_ns = clock_now_ns(), late_ns = now_ns - due_ns, queued = queued_ns(schedstat);
		(void)pthread_mutex_lock(&measuring->lock);
		if (late_ns > measuring->late_max_ns)
			measuring->late_max_ns = late_ns;
		if (late_ns >= LATE_NOTED_NS)
			note(&measuring->late, due_ns, late_ns, schedstat < 0 ? late_ns : queued - queued_before);
		(void)pthread_mutex_unlock(&measuring->lock);
		queued_before = queued;
		due_ns = due_ns + WAKE_EVERY_NS > now_ns ? due_ns + WAKE_EVERY_NS : now_ns + WAKE_EVERY_NS;
	}
	if (schedstat >= 0)
		(void)close(schedstat);
	return NULL;
}

static void *measure_syncs(void *context)
{
	static const char block[SYNC_SIZE];
	struct measuring *measuring = context;
	for (int64_t due_ns = clock_now_ns(); !measuring->stopping;) {
		sleep_until(due_ns);
		int64_t began_ns = clock_now_ns();
		bool is_done = pwrite(measuring->probe_file, block, sizeof(block), 0) == (ssize_t)sizeof(block) &&
		               fdatasync(measuring->probe_file) == 0;
		int64_t now_ns = clock_now_ns();
		(void)pthread_mutex_lock(&measuring->lock);
		if (is_done)
			note(&measuring->syncs, began_ns, now_ns - began_ns, 0);
		(void)pthread_mutex_unlock(&measuring->lock);
		due_ns = due_ns + SYNC_EVERY_NS > now_ns ? due_ns + SYNC_EVERY_NS : now_ns + SYNC_EVERY_NS;
	}
	return NULL;
}

static void write_probes(struct json_writer *json, const char *key, const struct measuring *measuring,
                         const struct probes *probes, bool with_queue)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < probes->count; i++) {
		const struct probe *probe = &probes->list[i];
		jsonw_array(json, NULL);
		jsonw_real(json, NULL, (double)(probe->from_ns - measuring->origin_ns) / 1e6, 3);
		jsonw_real(json, NULL, (double)probe->took_ns / 1e6, 3);
		if (with_queue)
			jsonw_real(json, NULL, (double)probe->queued_ns / 1e6, 3);
		jsonw_end_array(json);
	}
	jsonw_end_array(json);
}

static void write_owners(struct json_writer *json, const double of[HOST_OWNERS])
{
	jsonw_real(json, "server", of[HOST_OWNER_SERVER], 0);
	jsonw_real(json, "laboratory", of[HOST_OWNER_LABORATORY], 0);
	jsonw_real(json, "others", of[HOST_OWNER_OTHERS], 0);
}

static void write_figures(struct json_writer *json, const struct host_figures *figures)
{
	jsonw_object(json, "processor_ms");
	write_owners(json, figures->processor_ms);
	jsonw_real(json, "stolen", figures->stolen_ms, 0);
	jsonw_end_object(json);
	jsonw_object(json, "written_bytes");
	write_owners(json, figures->written_bytes);
	jsonw_real(json, "disks", figures->disk_written_bytes, 0);
	jsonw_end_object(json);
	jsonw_object(json, "disks");
	jsonw_real(json, "read_bytes", figures->disk_read_bytes, 0);
	jsonw_real(json, "flushes", figures->disk_flushes, 0);
	jsonw_real(json, "busy_ms", figures->disk_busy_ms, 0);
	jsonw_end_object(json);
	jsonw_object(json, "pressure_ms");
	jsonw_real(json, "cpu", figures->cpu_pressure_ms, 1);
	jsonw_real(json, "io", figures->io_pressure_ms, 1);
	jsonw_real(json, "memory", figures->memory_pressure_ms, 1);
	jsonw_end_object(json);
}

/* What was noted since the last line, without holding up those who note. */
static void take(struct measuring *measuring, struct probes *late, struct probes *syncs, int64_t *late_max_ns)
{
	(void)pthread_mutex_lock(&measuring->lock);
	*late = measuring->late;
	*syncs = measuring->syncs;
	*late_max_ns = measuring->late_max_ns;
	measuring->late.count = measuring->syncs.count = 0;
	measuring->late_max_ns = 0;
	(void)pthread_mutex_unlock(&measuring->lock);
}

static bool write_second(struct measuring *measuring, int64_t from_ns, int64_t to_ns,
                         const struct host_figures *figures)
{
	static struct probes late, syncs; /* of the one thread that writes */
	int64_t late_max_ns;
	struct buffer line = {0};
	struct json_writer json = {.out = &line};
	take(measuring, &late, &syncs, &late_max_ns);
	jsonw_object(&json, NULL);
	jsonw_real(&json, "at_ms", (double)(to_ns - measuring->origin_ns) / 1e6, 3);
	jsonw_real(&json, "took_ms", (double)(to_ns - from_ns) / 1e6, 3);
	jsonw_real(&json, "late_max_ms", (double)late_max_ns / 1e6, 3);
	write_probes(&json, "late", measuring, &late, true);
	write_probes(&json, "syncs", measuring, &syncs, false);
	write_figures(&json, figures);
	jsonw_end_object(&json);
	bool written = fprintf(measuring->out, "%s\n", line.data) > 0 && fflush(measuring->out) == 0;
	buffer_finish(&line);
	return written;
}

/* True when the laboratory has let go, or has ended. */
static bool wait_until(int lifeline, int64_t at_ns)
{
	struct pollfd end = {.fd = lifeline, .events = POLLIN};
	int found = 0;
	for (int64_t left_ns; found == 0 && (left_ns = at_ns - clock_now_ns()) > 0;) {
		found = poll(&end, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
		found = found < 0 && errno == EINTR ? 0 : found;
	}
	return found != 0;
}

static bool write_head(FILE *out)
{
	return fprintf(out, "{\"format\": 1, \"processors\": %zu, \"wake_every_ms\": %d, \"sync_every_ms\": %d}\n",
	               about_processors(), (int)(WAKE_EVERY_NS / NS_PER_MS), (int)(SYNC_EVERY_NS / NS_PER_MS)) > 0;
}

/* The last line is written when both threads have ended, so that what they wait for at the end is in it. */
static bool write_all(struct measuring *measuring, const pthread_t threads[THREADS], int lifeline)
{
	struct host_reader *reader = host_reader_create("", measuring->laboratory, getpid());
	struct host_figures figures;
	bool over = false, written = write_head(measuring->out);
	host_reader_look(reader, &figures);
	for (int64_t from_ns = clock_now_ns(), to_ns; !over; from_ns = to_ns) {
		over = wait_until(lifeline, from_ns + LOOK_EVERY_NS);
		measuring->stopping = over;
		for (size_t i = 0; over && i < THREADS; i++)
			(void)pthread_join(threads[i], NULL);
		host_reader_look(reader, &figures);
		to_ns = clock_now_ns();
		written = write_second(measuring, from_ns, to_ns, &figures) && written;
	}
	host_reader_free(reader);
	return written;
}

/* Signals to the terminal's processes are for the laboratory. */
static void become_meter(void)
{
	sigset_t all;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_NAME, "sluice-host");
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
}

_Noreturn static void run(struct measuring *measuring, int lifeline)
{
	static void *(*const measures[THREADS])(void *context) = {measure_waking, measure_syncs};
	pthread_t threads[THREADS];
	pthread_attr_t small;
	become_meter();
	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, STACK_SIZE);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], &small, measures[i], measuring) != 0)
			_exit(1);
	(void)mlockall(MCL_CURRENT); /* where that is allowed: its own memory may not make it late */
	bool good = write_all(measuring, threads, lifeline);
	good = fclose(measuring->out) == 0 && good;
	_exit(good ? 0 : 1);
}

/* A file that nobody sees, with its block in place: from then on it is written over. */
static int open_probe(const char *directory, struct sluice_error *error)
{
	static const char block[SYNC_SIZE];
	char *path = run_file(directory, PROBE);
	int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good = file >= 0 && unlink(path) == 0 && write(file, block, sizeof(block)) == (ssize_t)sizeof(block) &&
	            fsync(file) == 0;
	if (!good)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	if (!good && file >= 0)
		(void)close(file);
	free(path);
	return good ? file : -1;
}

static FILE *open_record(const char *directory, struct sluice_error *error)
{
	char *path = run_file(directory, RUN_HOST);
	FILE *file = fopen(path, "wxe");
	if (!file)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return file;
}

/* The child has copies of everything. */
static bool start(struct host_meter *meter, struct measuring *measuring, struct sluice_error *error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return sluice_error_set(error, "pipe: %s", strerror(errno));
	meter->lifeline = ends[1];
	meter->process = fork();
	if (meter->process == 0) {
		(void)close(ends[1]);
		run(measuring, ends[0]);
	}
	(void)close(ends[0]);
	if (meter->process > 0)
		return true;
	(void)close(ends[1]);
	return sluice_error_set(error, "fork: %s", strerror(errno));
}

struct host_meter *host_meter_start(const char *directory, int64_t origin_ns, struct sluice_error *error)
{
	static struct measuring measuring; /* as large as all probes */
	struct host_meter *meter = must_calloc(1, sizeof(*meter));
	measuring = (struct measuring){.origin_ns = origin_ns,
	                               .probe_file = open_probe(directory, error),
	                               .laboratory = getpid(),
	                               .lock = PTHREAD_MUTEX_INITIALIZER};
	measuring.out = measuring.probe_file >= 0 ? open_record(directory, error) : NULL;
	bool good = measuring.out && start(meter, &measuring, error);
	if (measuring.out)
		(void)fclose(measuring.out);
	if (measuring.probe_file >= 0)
		(void)close(measuring.probe_file);
	if (!good) {
		free(meter);
		return NULL;
	}
	return meter;
}

bool host_meter_stop(struct host_meter *meter, struct sluice_error *error)
{
	int status = 0;
	if (!meter)
		return true;
	(void)close(meter->lifeline);
	bool good = process_wait(meter->process, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	free(meter);
	return good || sluice_error_set(error, RUN_HOST ": the host could not be recorded to its end");
}
