/*
 * The parts of a report, for report.c, which puts them together, and for those who write one.
 */
#ifndef LAB_REPORT_REPORT_PARTS_H
#define LAB_REPORT_REPORT_PARTS_H

#include <jansson.h>

#include "base/buffer.h"

/* The documents of a run directory as they were read; NULL: it is not there. */
struct report_documents {
	json_t *run, *compare, *gate, *verify;
	json_t *flame; /* see flame.h */
};

/* A member of a member, "schedule.rate"; NULL where it is not there. Of `document` NULL: NULL. */
const json_t *report_at(const json_t *document, const char *path);
const char *report_text(const json_t *document, const char *path); /* "": no text there */
double report_number(const json_t *document, const char *path);    /* NAN: no number there */

/* "A" or "B". */
const char *report_arm_letter(size_t arm);
/* What the arm is called; its letter where it has no name. */
const char *report_arm_label(const struct report_documents *documents, size_t arm);

/* How an outcome or the verdict on a criterion is coloured, as a class of report.css: good, bad, open or even. */
const char *report_tone(const char *outcome);

/* Each adds its part as HTML; nothing where the documents do not say it. */
void report_put_title(const struct report_documents *documents, struct buffer *out);
void report_put_verdict(const struct report_documents *documents, struct buffer *out);
void report_put_about(const struct report_documents *documents, struct buffer *out);
void report_put_metrics(const struct report_documents *documents, struct buffer *out);
void report_put_processor(const struct report_documents *documents, struct buffer *out);
void report_put_gate(const struct report_documents *documents, struct buffer *out);
void report_put_correctness(const struct report_documents *documents, struct buffer *out);
void report_put_method(const struct report_documents *documents, struct buffer *out);
void report_put_footer(const struct report_documents *documents, struct buffer *out);

#endif
