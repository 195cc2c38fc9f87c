/* breaks: exact-bytes */
/* It takes payloads for C strings. */
#include "plain_store.h"

const enum flaw flaw = CUTS_AT_NUL;
