/* breaks: wait */
/* It resumes what it parked, and again. */
#include "plain_queue.h"

const enum flaw flaw = RESUMES_TWICE;
