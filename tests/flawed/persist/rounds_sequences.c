/* breaks: fields */
/* It keeps sequences without their last digits. */
#include "plain_store.h"

const enum flaw flaw = ROUNDS_SEQUENCES;
