/*
 * A stage of this tree with a delay in it: PLANTED_FILE is the shared object it stands for, whose options, spans and
 * functions it has. Its own option `delay` is how much longer each call takes. What is planted so is known, and a
 * comparison or an analysis can be asked whether it finds it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include <sluice/stage.h>

enum { OPTIONS_MAX = 64, ALIGNMENT = 16, TIMER_SLACK_NS = 1 };

/* Behind the config of the stage it stands for. */
struct own {
	struct sluice_duration delay;
};

static const struct sluice_option own_options[] = {
	SLUICE_OPTION_DURATION(struct own, delay, .name = "delay", .fallback = "0s", .min = 0,
                               .max = INT64_C(60000000000), .help = "how much longer each call takes"),
	SLUICE_OPTION_END,
};

static const struct sluice_stage_ops *original;
static size_t own_offset;
static struct sluice_option options[OPTIONS_MAX];
static union {
	struct sluice_auth_ops auth;
	struct sluice_parse_ops parse;
	struct sluice_idempotency_ops idempotency;
	struct sluice_queue_ops queue;
	struct sluice_persist_ops persist;
} table;

/* The one exported symbol, as stage.h has it but for the const: it is filled when the file is loaded. */
SLUICE_EXPORT extern struct sluice_stage_ops sluice_stage;
struct sluice_stage_ops sluice_stage;

/* A thread that sleeps wakes up to 50 µs late unless it says that this matters. */
static void delay(const struct sluice_stage *stage)
{
	static _Thread_local bool is_exact;
	int64_t ns = ((const struct own *)(const void *)((const char *)stage->config + own_offset))->delay.ns;
	if (ns == 0)
		return;
	if (!is_exact)
		is_exact = prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS) == 0;
	struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = (long)(ns % 1000000000)};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

static enum sluice_verdict process_auth(struct sluice_stage *stage, struct sluice_event *event)
{
	delay(stage);
	return original->of.auth->process(stage, event);
}

static enum sluice_verdict process_parse(struct sluice_stage *stage, struct sluice_event *event)
{
	delay(stage);
	return original->of.parse->process(stage, event);
}

static enum sluice_verdict process_idempotency(struct sluice_stage *stage, struct sluice_event *event)
{
	delay(stage);
	return original->of.idempotency->process(stage, event);
}

static enum sluice_verdict put(struct sluice_stage *stage, struct sluice_event *event)
{
	delay(stage);
	return original->of.queue->put(stage, event);
}

static void store(struct sluice_stage *stage, struct sluice_batch *batch)
{
	delay(stage);
	original->of.persist->store(stage, batch);
}

static void plant(void)
{
	switch (original->kind) {
	case SLUICE_KIND_AUTH:
		table.auth = *original->of.auth;
		table.auth.process = process_auth;
		break;
	case SLUICE_KIND_PARSE:
		table.parse = *original->of.parse;
		table.parse.process = process_parse;
		break;
	case SLUICE_KIND_IDEMPOTENCY:
		table.idempotency = *original->of.idempotency;
		table.idempotency.process = process_idempotency;
		break;
	case SLUICE_KIND_QUEUE:
		table.queue = *original->of.queue;
		table.queue.put = put;
		break;
	case SLUICE_KIND_PERSIST:
		table.persist = *original->of.persist;
		table.persist.store = store;
		break;
	}
}

static size_t copy_options(void)
{
	size_t count = 0;
	for (; original->options && original->options[count].type != SLUICE_TYPE_END; count++)
		options[count] = original->options[count];
	return count;
}

/* What the loader finds in a file that this fails for is a stage of no version, which it refuses. */
__attribute__((constructor)) static void stand_for(void)
{
	void *file = dlopen(PLANTED_FILE, RTLD_NOW | RTLD_LOCAL);
	original = file ? dlsym(file, SLUICE_STAGE_SYMBOL) : NULL;
	if (!original)
		return;
	size_t count = copy_options();
	own_offset = (original->config_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	options[count] = own_options[0];
	options[count].offset += own_offset;
	plant();
	sluice_stage = *original;
	sluice_stage.of.any = &table;
	sluice_stage.options = options;
	sluice_stage.config_size = own_offset + sizeof(struct own);
}
