/*
 * What a store says about itself (stats() of its stage), as JSON.
 */
#ifndef LAB_TRIAL_STORE_FIGURES_H
#define LAB_TRIAL_STORE_FIGURES_H

#include <jansson.h>
#include <sluice/error.h>

#include "lab/trial/arm.h"

/* [{"name": …, "label": …, "of": …, "value": …, "about": …}, …], a label only where it has one, the value a number or a
 * text. An empty list of a store that says nothing; NULL and a sentence if it cannot be asked. */
json_t *store_figures(const struct arm_store *store, struct sluice_error *error);

/* The value of the figure of that name without a label; a negative number if it is not there. */
double store_figure(const json_t *figures, const char *name);

#endif
