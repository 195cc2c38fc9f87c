/*
 * A host that keeps what a stage says, and whose clocks stand still once they have been set.
 */
#include "conform/host.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "conform/bench.h"
#include "conform/clocks.h"
#include "conform/concurrent.h"
#include "runtime/loader.h"
#include "runtime/store_identity.h"

enum { NOTES_MAX = 4 << 20, RESTARTED_S = 5 /* after the machine has started */ };

static void (*_Atomic on_breach)(const char *sentence);

void bench_on_breach(void (*breach)(const char *sentence))
{
	on_breach = breach;
}

void bench_breach(const char *format, ...)
{
	char sentence[1024];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (on_breach)
		on_breach(sentence);
	(void)fprintf(stderr, "%s\n", sentence);
	abort();
}

/* 0 while the real clocks run. */
static _Atomic int64_t fake_now_ns, fake_wall_ns;

int64_t bench_now_ns(void)
{
	concurrent_give_way();
	int64_t fake = atomic_load(&fake_now_ns);
	return fake ? fake : clock_now_ns();
}

int64_t bench_wall_ns(void)
{
	int64_t fake = atomic_load(&fake_wall_ns);
	return fake ? fake : clock_wall_ns();
}

void bench_set_clock(int64_t wall_ns)
{
	if (!atomic_load(&fake_now_ns))
		atomic_store(&fake_now_ns, 1000 * NS_PER_S);
	atomic_store(&fake_wall_ns, wall_ns);
}

void bench_advance_clock(int64_t ns)
{
	assert(atomic_load(&fake_now_ns));
	atomic_fetch_add(&fake_now_ns, ns);
	atomic_fetch_add(&fake_wall_ns, ns);
}

void bench_jump_clock(int64_t ns)
{
	assert(atomic_load(&fake_now_ns));
	atomic_fetch_add(&fake_wall_ns, ns);
	clocks_jump(ns);
}

void bench_restart_clock(void)
{
	assert(atomic_load(&fake_now_ns));
	atomic_store(&fake_now_ns, RESTARTED_S * NS_PER_S);
}

/* What stages say. */
struct notes {
	pthread_mutex_t lock;
	struct buffer text;
};
static struct notes lines = {PTHREAD_MUTEX_INITIALIZER, {NULL, 0, 0}};
static struct notes sentences = {PTHREAD_MUTEX_INITIALIZER, {NULL, 0, 0}};
static struct notes announcements = {PTHREAD_MUTEX_INITIALIZER, {NULL, 0, 0}};

static void add_note(struct notes *notes, const char *text)
{
	(void)pthread_mutex_lock(&notes->lock);
	if (notes->text.size < NOTES_MAX)
		buffer_printf(&notes->text, "%s\n", text);
	(void)pthread_mutex_unlock(&notes->lock);
}

static char *take_notes(struct notes *notes)
{
	(void)pthread_mutex_lock(&notes->lock);
	char *text = buffer_take(&notes->text);
	(void)pthread_mutex_unlock(&notes->lock);
	return text;
}

char *bench_take_log(void)
{
	return take_notes(&lines);
}

void bench_note_sentence(const char *text)
{
	add_note(&sentences, text);
}

char *bench_take_sentences(void)
{
	return take_notes(&sentences);
}

char *bench_take_announcements(void)
{
	return take_notes(&announcements);
}

static void host_log(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
                     const struct sluice_field *fields, size_t field_count)
{
	concurrent_give_way();
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	struct buffer line = {0};
	buffer_printf(&line, "%s %s/%s %s", levels[level], kind_names[stage->ops->kind], stage->ops->name, name);
	for (size_t i = 0; i < field_count; i++) {
		const struct sluice_field *field = &fields[i];
		if (field->type == SLUICE_FIELD_INT)
			buffer_printf(&line, " %s=%lld", field->name, (long long)field->integer);
		else if (field->type == SLUICE_FIELD_REAL)
			buffer_printf(&line, " %s=%g", field->name, field->real);
		else
			buffer_printf(&line, " %s=%s", field->name, field->text ? field->text : "");
	}
	add_note(&lines, line.data);
	buffer_finish(&line);
}

/* As in a pipeline: the same identity once more changes nothing. */
static struct store_identity store_identity = {.lock = PTHREAD_MUTEX_INITIALIZER};

void bench_doubt_store(void)
{
	store_identity_announce(&store_identity, NULL);
}

static void bench_announce_store(struct sluice_stage *stage, const char *identity)
{
	if (stage->ops->kind != SLUICE_KIND_PERSIST)
		bench_breach("a stage of kind %s called sluice_announce_store(), which only persist may",
		             kind_names[stage->ops->kind]);
	if (identity && !*identity)
		bench_breach("sluice_announce_store() got an empty identity: expected text, or NULL for doubt");
	add_note(&announcements, identity ? identity : "in doubt");
	store_identity_announce(&store_identity, identity);
}

static uint64_t bench_store_epoch(struct sluice_stage *stage)
{
	(void)stage;
	concurrent_give_way();
	return store_identity_epoch(&store_identity);
}

static uint64_t bench_hash(const void *data, size_t size)
{
	concurrent_give_way();
	return digest_hash(data, size);
}

static const struct sluice_parts parts = {.split = bench_event_split};
static const struct sluice_extension extensions[] = {{SLUICE_PARTS, &parts}, SLUICE_EXTENSION_END};

static const void *extension(const char *id)
{
	return sluice_extension_find(extensions, id);
}

const struct sluice_host bench_host = {
	.size = sizeof(bench_host),
	.now_ns = bench_now_ns,
	.wall_ns = bench_wall_ns,
	.alloc = bench_event_alloc,
	.digest = bench_event_digest,
	.explain = bench_event_explain,
	.conflict = bench_event_conflict,
	.set_header = bench_event_set_header,
	.respond = bench_event_respond,
	.resume = bench_event_resume,
	.span = bench_event_span,
	.log = host_log,
	.hash = bench_hash,
	.random = digest_random,
	.restore = bench_event_restore,
	.audit_hash = digest_audit_row,
	.record_digest = digest_record,
	.announce_store = bench_announce_store,
	.store_epoch = bench_store_epoch,
	.extension = extension,
};
