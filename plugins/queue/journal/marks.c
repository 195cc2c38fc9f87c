/* Ranges of events that are through; see marks.h. */
#include "marks.h"

#include <stdlib.h>

void marks_add(struct marks *marks, struct range range)
{
	struct range *last = marks->ranges && marks->count ? &marks->ranges[marks->count - 1] : NULL;
	if (last && last->first + last->count == range.first) {
		last->count += range.count;
		return;
	}
	if (!marks->ranges || marks->count == marks->room) {
		size_t room = marks->room ? 2 * marks->room : 64;
		struct range *more = realloc(marks->ranges, room * sizeof(*more));
		if (!more)
			return;
		marks->ranges = more;
		marks->room = room;
	}
	marks->ranges[marks->count++] = range;
}

void marks_finish(struct marks *marks)
{
	free(marks->ranges);
	*marks = (struct marks){0};
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *left = a, *right = b;
	return left->first < right->first ? -1 : left->first > right->first;
}

/* What overlaps becomes one. */
void marks_sort(struct marks *marks)
{
	if (marks->count == 0)
		return;
	qsort(marks->ranges, marks->count, sizeof(*marks->ranges), compare_ranges);
	size_t last = 0;
	for (size_t i = 1; i < marks->count; i++) {
		struct range *range = &marks->ranges[last];
		const struct range *next = &marks->ranges[i];
		if (next->first > range->first + range->count)
			marks->ranges[++last] = *next;
		else if (next->first + next->count > range->first + range->count)
			range->count = next->first + next->count - range->first;
	}
	marks->count = last + 1;
}

bool marks_have(const struct marks *marks, uint64_t number)
{
	size_t low = 0, high = marks->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *range = &marks->ranges[middle];
		if (number < range->first)
			high = middle;
		else if (number - range->first >= range->count)
			low = middle + 1;
		else
			return true;
	}
	return false;
}
