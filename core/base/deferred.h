/*
 * What a thread puts off until it has done something many times: one wake-up of another thread then serves for all of them.
 */
#ifndef BASE_DEFERRED_H
#define BASE_DEFERRED_H

/* Between the two, deferred_add() puts off; the end does what was put off. They nest; the outermost end counts. */
void deferred_begin(void);
void deferred_end(void);

enum deferral { DEFERRED_NOT, DEFERRED_NEW, DEFERRED_BEFORE };

/* call(argument) will be done at the end, once for the same two: NEW, or BEFORE when it was put off already. NOT: do it now. */
enum deferral deferred_add(void (*call)(int argument), int argument);

#endif
