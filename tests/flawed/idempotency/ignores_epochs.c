/* breaks: store-doubted */
/* It believes what it remembers, whatever has become of the store. */
#include "plain_idempotency.h"

const enum flaw flaw = IGNORES_EPOCHS;
