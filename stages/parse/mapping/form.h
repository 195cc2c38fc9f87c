/*
 * Forms: application/x-www-form-urlencoded, read as the URL Standard does (https://url.spec.whatwg.org, section 5.1), which
 * takes every text for a form.
 */
#ifndef MAPPING_FORM_H
#define MAPPING_FORM_H

#include <stdbool.h>

#include <sluice/event.h>

/* The decoded value of the field, a part of the form or in the event's memory; absent if the form has none of that name or
 * is absent itself. *repeated_out: it has several. False: no memory. */
bool form_find(struct sluice_bytes form, const char *name, struct sluice_event *event, struct sluice_bytes *value_out,
               bool *repeated_out);

#endif
