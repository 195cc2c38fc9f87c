/*
 * A stage on the bench (core/conform/bench.h) for tests: loads one .so, creates it with options given as text, and
 * pushes events through it, with a clock that the test sets. Nothing of the pipeline is involved: what is seen is what
 * the stage does.
 *
 *     struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac", (const char *[]){"scheme=github", "secrets=s", NULL});
 *     struct sluice_event *e = harness_event(h);
 *     harness_header(e, "X-Hub-Signature-256", "sha256=…");
 *     harness_body(e, "Hello, World!", 13);
 *     ck_assert_int_eq(harness_process(h, e), SLUICE_PASS);
 *     harness_settle(h, e, SLUICE_PASS);           // also frees the event
 *     harness_close(h);
 *
 * harness_open() fails the running Check test when the stage cannot be created; harness_try() tells why instead.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <sluice/stage.h>

struct harness {
	struct sluice_stage stage;
	const struct sluice_stage_ops *ops;
};

/* `use` as in a pipeline file: a name, looked for in the build, or a file. */
struct harness *harness_open(enum sluice_kind kind, const char *use, const char *const *options);
struct harness *harness_open_read_only(enum sluice_kind kind, const char *use, const char *const *options);
struct harness *harness_try(enum sluice_kind kind, const char *use, const char *const *options,
                            struct sluice_error *error);
struct harness *harness_try_read_only(enum sluice_kind kind, const char *use, const char *const *options,
                                      struct sluice_error *error);
void harness_close(struct harness *harness);

/* Both clocks, which stand still from the first call on; until then the real ones run. */
void harness_set_clock(int64_t wall_ns);
void harness_advance_clock(int64_t ns);

/* An event in pages of its own, which cannot be touched after harness_settle() or harness_free(). Threads may each have
 * their own. */
struct sluice_event *harness_event(struct harness *harness);
void harness_header(struct sluice_event *event, const char *name, const char *value);
void harness_body(struct sluice_event *event, const void *data, size_t size);
/* Sets what parse would: any text may be NULL. */
void harness_fields(struct sluice_event *event, const char *message_id, const char *event_type, const char *stream,
                    const char *payload);

enum sluice_verdict harness_process(struct harness *harness, struct sluice_event *event);
/* Through store() of a persist stage, process() one by one of any other; verdicts[] is filled. */
void harness_process_batch(struct harness *harness, struct sluice_event **events, enum sluice_verdict *verdicts,
                           size_t count);

/* What the stage said with its last verdict. */
int harness_status(const struct sluice_event *event);
const char *harness_detail(const struct sluice_event *event);
int64_t harness_delay_ns(const struct sluice_event *event);
int64_t harness_span_ns(const struct sluice_event *event, unsigned span);

/* Whether sluice_resume() was called for it, and with what. Waits up to 5 s. */
bool harness_wait_resumed(struct sluice_event *event, enum sluice_verdict *verdict_out);
bool harness_is_resumed(const struct sluice_event *event);

void harness_settle(struct harness *harness, struct sluice_event *event, enum sluice_verdict verdict);
void harness_free(struct sluice_event *event);

/* What stats() shows, as bench_stats() writes it; the caller frees it. */
char *harness_stats(struct harness *harness);

/* The log lines that the stages of this process have written since the last call; the caller frees it. */
char *harness_take_log(void);

#endif
