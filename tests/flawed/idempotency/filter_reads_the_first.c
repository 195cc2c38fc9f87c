/* breaks: stored-before */
/* It takes the first row of the store for all of them. */
#include "plain_filter.h"

const enum flaw flaw = READS_THE_FIRST;
