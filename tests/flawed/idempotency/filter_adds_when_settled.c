/* breaks: stored-unheard */
/* An id is in the filter once its event is said to be stored, which may never be said. */
#include "plain_filter.h"

const enum flaw flaw = ADDS_WHEN_SETTLED;
