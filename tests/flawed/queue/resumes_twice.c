/* breaks: wait */
/* It resumes what it parked, and again. */
#define PARKS 1
#define FLAW RESUMES_TWICE
#include "plain_queue.h"
