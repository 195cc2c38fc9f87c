/* breaks: fields */
/* It keeps sequences without their last digits. */
#define FLAW ROUNDS_SEQUENCES
#include "plain_store.h"
