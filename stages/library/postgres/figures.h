/* Figures: what the server counts of itself, of the tables and of the statements, for a report. */
#ifndef POSTGRES_FIGURES_H
#define POSTGRES_FIGURES_H

#include <stdbool.h>

#include <sluice/stage.h>

#include "server.h"

/* As the stage's stats(). A session tells the server what it has counted when it is idle or every second; so figures
 * of statements just executed elsewhere may come late. Those of pg_stat_statements are left out where the extension is
 * not installed and loaded; they are of the whole database, whatever schema the statements were about. */
bool figures_show(struct server *server, struct sluice_observer *observer, struct sluice_error *error);

#endif
