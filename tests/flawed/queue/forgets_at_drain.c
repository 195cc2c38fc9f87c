/* breaks: drain-yields */
/* It takes the drain for the end. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = FORGETS_AT_DRAIN;
