/* breaks: letters */
/* It drops all dead letters when one is dropped. */
#include "plain_store.h"

const enum flaw flaw = DROPS_ALL_THE_DEAD;
