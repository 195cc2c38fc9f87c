/* breaks: stated */
/* It takes the stream for the type. */
#include "plain_form.h"

const enum flaw flaw = CONFUSES_ITS_FIELDS;
