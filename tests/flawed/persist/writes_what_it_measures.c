/* breaks: measure */
/* Measuring leaves a file behind. */
#include "plain_store.h"

const enum flaw flaw = WRITES_WHAT_IT_MEASURES;
