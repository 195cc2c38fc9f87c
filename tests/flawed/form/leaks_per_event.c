/* breaks: settled */
/* It loses eight bytes with each event. */
#include "plain_form.h"

const enum flaw flaw = LEAKS_PER_EVENT;
