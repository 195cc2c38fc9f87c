/* breaks: drain-yields */
/* It takes the drain for the end. */
#define VOLATILE
#define FLAW FORGETS_AT_DRAIN
#include "plain_queue.h"
