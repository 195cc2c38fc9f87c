/*
 * Where the servers spent their processor time: the folded stacks of both arms (stacks-a.folded, stacks-b.folded, as
 * flamegraph.pl and others take them: "thread;caller;callee 12") laid over each other as one tree.
 */
#ifndef LAB_REPORT_FLAME_H
#define LAB_REPORT_FLAME_H

#include <jansson.h>
#include <sluice/error.h>

/* [name, samples in A, samples in B, [children …]], children by name. Frames of less than a five-hundredth of all samples are
 * left out, so what a frame's children lack is its own or theirs. NULL without a sentence: the run has no stacks. */
json_t *flame_read(const char *directory, struct sluice_error *error);

#endif
