/* breaks: hostile-names */
/* It takes an id that is no text. */
#include "plain_form.h"

const enum flaw flaw = TAKES_ANY_BYTES;
