/* breaks: older-copy */
/* It writes on where it stopped, though the journal that it finds is shorter. */
#include "plain_queue.h"

const enum flaw flaw = LEAVES_A_GAP;
