/*
 * The bench's side of the host: its clock, its log, and what it does when a stage uses the host as it must not.
 */
#ifndef CONFORM_HOST_H
#define CONFORM_HOST_H

#include <sluice/stage.h>

extern const struct sluice_host bench_host;

/* The stage has done what no stage may: hands the sentence to who has asked for it, and ends the process otherwise. */
_Noreturn __attribute__((format(printf, 1, 2))) void bench_breach(const char *format, ...);

/* A sentence that a stage has said with a verdict, for bench_take_sentences(). */
void bench_note_sentence(const char *text);

int64_t bench_now_ns(void);
int64_t bench_wall_ns(void);

/* The functions of the host that have to do with events; in event.c. */
void *bench_event_alloc(struct sluice_event *event, size_t size);
const uint8_t *bench_event_digest(struct sluice_event *event);
void bench_event_explain(struct sluice_event *event, int status, int64_t delay_ns, const char *text, size_t size);
void bench_event_conflict(struct sluice_event *event, const char *text, size_t size);
bool bench_event_set_header(struct sluice_event *event, const char *name, const char *value);
bool bench_event_respond(struct sluice_event *event, int status, const char *type, const void *body, size_t size);
enum sluice_verdict bench_event_split(struct sluice_event *event, const struct sluice_bytes *elements, size_t count);
void bench_event_resume(struct sluice_event *event, enum sluice_verdict verdict);
void bench_event_span(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span,
                      int64_t ns);
struct sluice_event *bench_event_restore(struct sluice_stage *stage, const struct sluice_record *record);

/* Before a stage has its next say. */
void bench_event_forget_words(struct sluice_event *event);

#endif
