/*
 * Sampling /metrics; see sampler.h.
 */
#include "lab/trial/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "lab/run/run.h"

struct sampler {
	const struct arm *arms;
	size_t count;
	FILE *file;
	int64_t origin_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool stopping;
	struct sluice_error trouble; /* the first */
};

/* What of /metrics is worth a curve. */
static const char *const wanted[] = {
	"webhook_queue_depth", "webhook_worker_utilization", "webhook_db_pool_connections",
	"webhook_in_flight",   "webhook_in_flight_bytes",    "process_resident_memory_bytes",
	"process_open_fds",
};

static bool is_wanted(const char *line)
{
	size_t length = strcspn(line, "{ ");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strlen(wanted[i]) == length && strncmp(line, wanted[i], length) == 0)
			return true;
	return false;
}

/* The text format is a metric a line, its value behind the last blank. */
static void write_gauges(struct json_writer *json, char *metrics)
{
	char *rest = NULL;
	for (char *line = strtok_r(metrics, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *value = strrchr(line, ' ');
		if (line[0] == '#' || !value || !is_wanted(line))
			continue;
		*value = '\0';
		jsonw_real(json, line, strtod(value + 1, NULL), 3);
	}
}

static void write_line(struct sampler *sampler, const struct buffer *line)
{
	if (fprintf(sampler->file, "%s\n", line->data) < 0 && !sampler->trouble.text[0])
		(void)sluice_error_set(&sampler->trouble, RUN_SAMPLES ": cannot be written: %s", strerror(errno));
}

static void sample(struct sampler *sampler, size_t arm)
{
	struct buffer metrics = {0}, line = {0};
	struct json_writer json = {.out = &line};
	struct sluice_error missed = {0};
	bool came = arm_fetch(&sampler->arms[arm], "/metrics", &metrics, &missed) && metrics.data;
	jsonw_object(&json, NULL);
	jsonw_real(&json, "at_ms", (double)(clock_now_ns() - sampler->origin_ns) / 1e6, 3);
	jsonw_int(&json, "arm", (int64_t)arm);
	if (came) {
		jsonw_object(&json, "gauges");
		write_gauges(&json, metrics.data);
		jsonw_end_object(&json);
	} else {
		jsonw_text(&json, "missed", missed.text);
	}
	jsonw_end_object(&json);
	write_line(sampler, &line);
	buffer_finish(&metrics);
	buffer_finish(&line);
}

/* True when it is time to end. */
static bool wait_a_second(struct sampler *sampler)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	(void)pthread_mutex_lock(&sampler->lock);
	while (!sampler->stopping && pthread_cond_timedwait(&sampler->woken, &sampler->lock, &until) != ETIMEDOUT)
		;
	bool over = sampler->stopping;
	(void)pthread_mutex_unlock(&sampler->lock);
	return over;
}

static void *run(void *context)
{
	struct sampler *sampler = context;
	while (!wait_a_second(sampler))
		for (size_t arm = 0; arm < sampler->count; arm++)
			sample(sampler, arm);
	return NULL;
}

static void release(struct sampler *sampler)
{
	(void)pthread_cond_destroy(&sampler->woken);
	(void)pthread_mutex_destroy(&sampler->lock);
	free(sampler);
}

struct sampler *sampler_start(const struct arm *arms, size_t count, const char *directory, int64_t origin_ns,
                              struct sluice_error *error)
{
	pthread_condattr_t monotonic;
	char *path = run_file(directory, RUN_SAMPLES);
	struct sampler *sampler = must_calloc(1, sizeof(*sampler));
	*sampler = (struct sampler){.arms = arms, .count = count, .file = fopen(path, "ae"), .origin_ns = origin_ns};
	(void)pthread_mutex_init(&sampler->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&sampler->woken, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	int failure = sampler->file ? pthread_create(&sampler->thread, NULL, run, sampler) : errno;
	if (failure) {
		(void)sluice_error_set(error, "%s: %s", path, strerror(failure));
		if (sampler->file)
			(void)fclose(sampler->file);
		release(sampler);
		sampler = NULL;
	}
	free(path);
	return sampler;
}

bool sampler_stop(struct sampler *sampler, struct sluice_error *error)
{
	if (!sampler)
		return true;
	(void)pthread_mutex_lock(&sampler->lock);
	sampler->stopping = true;
	(void)pthread_cond_signal(&sampler->woken);
	(void)pthread_mutex_unlock(&sampler->lock);
	(void)pthread_join(sampler->thread, NULL);
	if (fclose(sampler->file) != 0 && !sampler->trouble.text[0])
		(void)sluice_error_set(&sampler->trouble, RUN_SAMPLES ": cannot be written: %s", strerror(errno));
	bool ok = !sampler->trouble.text[0];
	if (!ok)
		(void)sluice_error_set(error, "%s", sampler->trouble.text);
	release(sampler);
	return ok;
}
