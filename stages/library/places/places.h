/*
 * Places: the events inside a queue stage, each from put() until done(), in lists from the oldest to the newest.
 *
 * A stage that has more to remember of an event begins a struct of its own with a struct place.
 */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>

#include <sluice/event.h>

struct place {
	struct place *next;
	struct sluice_event *event;
};

struct place_list { /* starts as {0} */
	struct place *first, *last;
};

void place_list_append(struct place_list *list, struct place *place);
struct place *place_list_take(struct place_list *list);

/* What is in `older` goes before what is in the list, and `older` is empty. */
void place_list_prepend(struct place_list *list, struct place_list *older);

/* With what each of them begins. */
void place_list_free(struct place_list *list);

#endif
