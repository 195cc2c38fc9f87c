/* breaks: location */
/* All locations made for a laboratory are one to it. */
#include "plain_store.h"

const enum flaw flaw = MIXES_LOCATIONS;
