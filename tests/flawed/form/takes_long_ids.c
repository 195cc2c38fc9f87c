/* breaks: hostile-names */
/* It takes an id of any length. */
#include "plain_form.h"

const enum flaw flaw = TAKES_LONG_IDS;
