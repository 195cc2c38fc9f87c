/* breaks: take-max */
/* Its take() counts from 0 to max. */
#define VOLATILE
#define FLAW TAKES_ONE_MORE
#include "plain_queue.h"
