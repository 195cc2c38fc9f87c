/*
 * One side of a comparison, as the runtime sees it: its config, where its rows are, and the functions that open its stores, which the
 * laboratory may not know.
 */
#ifndef CLI_LAB_SIDE_H
#define CLI_LAB_SIDE_H

#include "base/digest.h"
#include "cli/lab/comparison.h"
#include "runtime/pipeline.h"

enum { SIDE_SETS_MAX = 256, SIDE_MARK_SIZE = 16 };

struct side {
	const char *names;             /* of overlays, as they were asked for */
	struct config *config, **past; /* of this life, and of those before */
	size_t past_count;
	char sha256[DIGEST_HEX_SIZE]; /* of the effective pipeline, but for where its rows are */
	const char *sets[SIDE_SETS_MAX + 1];
	const char *flags[2 * SIDE_SETS_MAX + 8];
	struct arm_file stage_files[KIND_COUNT + 1];
	struct arm_plan plan;
};

/* As its server will run it, except for where its rows are. `number`: 0 is A, 1 is B. */
bool side_load(const struct comparison_request *request, struct side *side, size_t number, struct sluice_error *error);
void side_free(struct side *side); /* what it holds */

/* Whether the pipeline can be run with these overlays; false and a sentence otherwise. */
bool side_fits(const struct comparison_request *request, const char *names, struct sluice_error *error);

/* A name for the tables of one life, in lower-case letters and digits. */
void side_mark(char mark[SIDE_MARK_SIZE]);

/* Gives it tables of its own, and the laboratory functions that open them. */
bool side_separate(const struct comparison_request *request, struct side *side, const char *mark,
                   struct sluice_error *error);

/* For another life. The config of the one that is over is kept, for its rows. */
bool side_renew(const struct comparison_request *request, struct side *side, const char *mark,
                struct sluice_error *error);

#endif
