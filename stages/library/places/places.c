/* The events inside a queue stage; see places.h. */
#include "places.h"

#include <stdlib.h>

void place_list_append(struct place_list *list, struct place *place)
{
	place->next = NULL;
	if (list->last)
		list->last->next = place;
	else
		list->first = place;
	list->last = place;
}

struct place *place_list_take(struct place_list *list)
{
	struct place *place = list->first;
	if (!place)
		return NULL;
	list->first = place->next;
	if (!list->first)
		list->last = NULL;
	return place;
}

void place_list_prepend(struct place_list *list, struct place_list *older)
{
	if (!older->first)
		return;
	older->last->next = list->first;
	list->first = older->first;
	if (!list->last)
		list->last = older->last;
	*older = (struct place_list){0};
}

void place_list_free(struct place_list *list)
{
	for (struct place *place; (place = place_list_take(list));)
		free(place);
}
