/* Figures: what the file holds and how it is kept, for a report. */
#ifndef PERSIST_SQLITE_FIGURES_H
#define PERSIST_SQLITE_FIGURES_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "reader.h"

/* As the stage's stats(). Counts the rows one by one. */
bool figures_show(struct reader *reader, struct sluice_observer *observer, struct sluice_error *error);

#endif
