/* breaks: form-text */
/* A percent sign with a number that ends in 0 is malformed to it. */
#include "plain_form.h"

const enum flaw flaw = MISSES_ZEROS;
