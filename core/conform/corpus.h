/*
 * JSON texts, each as a value: what every parse stage takes, and what none does.
 */
#ifndef CONFORM_CORPUS_H
#define CONFORM_CORPUS_H

#include <sluice/event.h>

/* Each ends with absent bytes. */
extern const struct sluice_bytes corpus_valid[], corpus_invalid[];

#endif
