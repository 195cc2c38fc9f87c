/* breaks: shared-fate */
/* It resumes those who wait, and again. */
#include "plain_idempotency.h"

const enum flaw flaw = RESUMES_TWICE;
