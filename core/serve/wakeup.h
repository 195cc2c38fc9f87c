/*
 * How HTTP threads sleep and wake.
 *
 * Resuming connections takes one wake-up of an HTTP thread for all the requests of a batch.
 *
 * MHD_resume_connection() writes to the event descriptor of the connection's thread each time: a system call for every event that
 * a worker has stored. So this library defines write(), which the dynamic linker gives to libmicrohttpd, and within
 * wakeup_resume() puts that write off (base/deferred.h). For every other write nothing changes. Should a libmicrohttpd ever
 * wake its threads in another way, they are woken for each event again.
 *
 * libmicrohttpd 0.9.75 takes 128 events from epoll_wait(). When so many came it calls again before it has looked at any of them, with
 * the timeout of the first call: if they are all that there is, they wait until something else happens. So this library defines
 * epoll_wait(), too: after a call that was full, the next one of the thread does not wait.
 */
#ifndef SERVE_WAKEUP_H
#define SERVE_WAKEUP_H

#include <microhttpd.h>

/* From any thread: MHD_resume_connection(), whose wake-up may come at this thread's deferred_end(). */
void wakeup_resume(struct MHD_Connection *connection);

/* Returns when every wake-up that was put off is done: the descriptors may be closed. */
void wakeup_wait(void);

#endif
