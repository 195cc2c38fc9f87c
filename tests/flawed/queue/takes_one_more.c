/* breaks: take-max */
/* Its take() counts from 0 to max. */
#define VOLATILE
#include "plain_queue.h"

const enum flaw flaw = TAKES_ONE_MORE;
