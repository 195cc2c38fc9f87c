/* breaks: shared-fate */
/* It resumes those who wait, and again. */
#define FLAW RESUMES_TWICE
#include "plain_idempotency.h"
