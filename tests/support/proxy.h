/*
 * A TCP proxy before a PostgreSQL: passes everything on, unless it is told to do harm. What stands for HAProxy or a
 * virtual address, too: connections stay where they are, new ones go where it now leads.
 */
#ifndef TESTS_PROXY_H
#define TESTS_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct proxy {
	pthread_t thread;
	int listener;
	int port;
	atomic_int server_port; /* where new connections lead */
	atomic_int
		cut_commits; /* so many COMMITs are let through, but the connection is cut instead of passing the answer on */
	_Atomic(const char *) warning; /* function of the server that a WARNING before the answer to a COMMIT is from */
	atomic_bool frozen;            /* takes connections and bytes, and passes on nothing */
	atomic_int links;              /* open connections */
	atomic_bool stopping;
};

/* A proxy that lasts: its links may outlive the end of a test by a moment. */
void proxy_start(struct proxy *proxy, int server_port);
void proxy_stop(struct proxy *proxy);

/* A port of loopback that takes connections and never says a word. The descriptor is to be closed. */
int listen_silently(int *port_out);

#endif
