/*
 * What every stage promises of its static memory: that it has nothing of an event there. A static buffer is shared by
 * all threads and by all pipelines that have the stage; threads rarely meet in it, so it is looked for in the memory
 * itself.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "conform/sample.h"
#include "conform/stated.h"
#include "conform/suite_common.h"
#include "runtime/abi.h"

enum { AREAS_MAX = 8, TRACE_MIN = 6 /* bytes of an event that are not there by chance */ };

/* The writable memory of the stage's module. */
struct area {
	const char *start;
	size_t size;
};
struct module {
	uintptr_t base;
	struct area areas[AREAS_MAX];
	size_t count, size;
};

/* What the loader has made read-only is left out. */
static int note_module(struct dl_phdr_info *info, size_t size, void *context)
{
	struct module *module = context;
	uintptr_t read_only_end = 0;
	(void)size;
	if (info->dlpi_addr != module->base)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			read_only_end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	}
	for (int i = 0; i < info->dlpi_phnum && module->count < AREAS_MAX; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W))
			continue;
		start = start < read_only_end && read_only_end <= end ? read_only_end : start;
		module->areas[module->count++] = (struct area){(const char *)start, end - start};
		module->size += end - start;
	}
	return 1;
}

/* A function of the stage, wherever the table that names it was copied to. */
static const void *function_of(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_PERSIST ? (const void *)(uintptr_t)ops->of.persist->store
	                                        : (const void *)(uintptr_t)abi_process(ops);
}

static struct module find_module(struct check *check)
{
	struct module module = {0};
	Dl_info info;
	if (dladdr(function_of(check_ops(check)), &info) == 0)
		check_skip(check, "its static memory cannot be found");
	module.base = (uintptr_t)info.dli_fbase;
	(void)dl_iterate_phdr(note_module, &module);
	if (module.size == 0)
		check_skip(check, "it has no static memory that it could write to");
	return module;
}

__attribute__((no_sanitize("address", "thread"))) static char *copy_of(const struct module *module)
{
	char *copy = must_calloc(1, module->size), *at = copy;
	for (size_t i = 0; i < module->count; i++) {
		for (size_t n = 0; n < module->areas[i].size; n++)
			*at++ = ((const volatile char *)module->areas[i].start)[n];
	}
	return copy;
}

static void expect_not_in(struct check *check, const char *memory, size_t size, struct sluice_bytes bytes,
                          const char *what)
{
	check_that(check, bytes.size < TRACE_MIN || !memmem(memory, size, bytes.data, bytes.size),
	           "process() keeps the %s of an event in static memory, which all threads and pipelines share: use "
	           "sluice_alloc(), the stack or stage->state",
	           what);
}

/* The event as the stage has left it. */
static void expect_no_trace(struct check *check, const struct module *module, const struct sluice_event *event)
{
	char *memory = copy_of(module);
	const struct {
		const char *what;
		struct sluice_bytes bytes;
	} texts[] = {{"message id", event->message_id},
	             {"payload", event->payload},
	             {"body", event->body},
	             {"request id", event->request_id}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_not_in(check, memory, module->size, texts[i].bytes, texts[i].what);
	free(memory);
}

/* Two events that differ in all that a stage may look at. */
static struct sluice_event *make(struct check *check, struct bench *bench, bool is_other)
{
	const struct stated *stated = stated_model(check);
	struct sluice_event *event;
	if (!stated || check_ops(check)->kind > SLUICE_KIND_PARSE) {
		event = sample_event(check, bench, is_other ? SAMPLE_SORTS + 1 : 1);
	} else {
		event = stated_event(bench, stated);
		const char *id = stated->message_id.size ? memmem(event->body.data, event->body.size,
		                                                  stated->message_id.data, stated->message_id.size)
		                                         : NULL;
		if (is_other && id)
			memset((char *)(uintptr_t)id, 'x', stated->message_id.size);
	}
	if (is_other)
		bench_set_client(event, "198.51.100.213");
	return event;
}

/* A number of events or a clock changes, too, but not so: two contents in this order. */
static const bool is_other[] = {false, false, true, false, true, true, false};

enum { TURNS = sizeof(is_other) / sizeof(is_other[0]) };

static bool follows_the_content(char *const *copies, size_t at)
{
	char values[2] = {copies[0][at], copies[2][at]};
	if (values[0] == values[1])
		return false;
	for (size_t turn = 0; turn < TURNS; turn++) {
		if (copies[turn][at] != values[is_other[turn]])
			return false;
	}
	return true;
}

void common_has_no_event_in_static_memory(struct check *check)
{
	if (!sample_is_processed(check))
		sample_need_front(check);
	char *copies[TURNS];
	size_t bytes = 0;
	struct bench *bench = check_open(check);
	struct module module = find_module(check);
	(void)sample_run(check, bench, make(check, bench, false)); /* what is made once is made */
	for (size_t turn = 0; turn < TURNS; turn++) {
		struct sluice_event *event = make(check, bench, is_other[turn]);
		enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
		expect_no_trace(check, &module, event);
		copies[turn] = copy_of(&module);
		bench_settle(bench, event, verdict);
	}
	for (size_t at = 0; at < module.size; at++)
		bytes += follows_the_content(copies, at);
	check_that(
		check, bytes == 0,
		"process() keeps %zu bytes that depend on the event in static memory, which all threads and pipelines "
		"share: use sluice_alloc(), the stack or stage->state",
		bytes);
	for (size_t turn = 0; turn < TURNS; turn++)
		free(copies[turn]);
	bench_close(bench);
}
