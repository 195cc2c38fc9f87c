/* breaks: power-cut */
/* The file is synced, its name is not. */
#include "plain_store.h"

const enum flaw flaw = SYNCS_NO_FOLDER;
