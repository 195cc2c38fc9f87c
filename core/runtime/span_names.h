/*
 * Names of spans that outlive the stages which measured them, for who shows an event when its generation may be gone.
 */
#ifndef RUNTIME_SPAN_NAMES_H
#define RUNTIME_SPAN_NAMES_H

struct span_names;

/* A copy of a stage's `spans`, NULL-terminated, that stays until span_names_free(); the same one for the same names. NULL: the
 * stage has none. One thread at a time; the list begins as NULL. */
const char *const *span_names_keep(struct span_names **list, const char *const *spans);
void span_names_free(struct span_names **list);

#endif
