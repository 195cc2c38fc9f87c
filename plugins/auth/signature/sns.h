/*
 * What Amazon SNS signs: members of the JSON body, name and value on lines of their own.
 * docs.aws.amazon.com: "Verifying the signatures of Amazon SNS messages"
 */
#ifndef SIGNATURE_SNS_H
#define SIGNATURE_SNS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/event.h>

#include "signed/verify.h"

/* Fills the request with the signature and, as the body, the signed text; *id_out with the MessageId. All in the event's memory.
 * Returns why it cannot be read, else NULL. `tolerance_ns` 0: messages of any age are taken. */
const char *sns_read(struct sluice_event *event, int64_t tolerance_ns, struct signed_request *request_out,
                     struct sluice_bytes *id_out, bool *memory_short_out);

#endif
