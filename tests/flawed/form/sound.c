/* breaks: nothing */
/* It keeps every promise, and reads no JSON. */
#include "plain_form.h"

const enum flaw flaw = NONE;
