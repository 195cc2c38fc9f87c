/*
 * Where PostgreSQL is: the url, and the hosts in it, each of which gets its share of the time to answer.
 *
 * libpq tries the next host when one refuses. When one says nothing, moving on is left to whoever drives PQconnectPoll(),
 * and there is no call for it: so each host, and each address of its name, is an attempt of its own.
 */
#ifndef POSTGRES_ADDRESS_H
#define POSTGRES_ADDRESS_H

#include <stdbool.h>

#include <libpq-fe.h>
#include <sluice/error.h>

enum { ADDRESSES_MAX = 32, ADDRESS_SIZE = 300, PORT_SIZE = 8 };

/* What overrides the url for one attempt; all empty: the url as it is. */
struct address {
	char host[ADDRESS_SIZE], hostaddr[64], port[PORT_SIZE];
	int number; /* of the host in the url */
};

struct addresses {
	struct address each[ADDRESSES_MAX];
	int count;             /* 1 at least */
	int connect_timeout_s; /* for each, as the url says; 0: it does not */
};

/* Whether libpq can read the url, and nothing in it looks like a password that ran over into a host, a port or a
 * database. The sentence shows no part of it. */
bool address_check(const char *url, struct sluice_error *error);

/* The attempts that a url stands for, those of host number `first` before the others. Asks for the addresses of names,
 * which may take its time. For a url that passed the check. */
void addresses_find(const char *url, int first, struct addresses *addresses_out);

/* The hosts and ports of a url that passed the check: "db1:5432, db2:5433". For the operator, not for the public. */
void address_describe(const char *url, char text[ADDRESS_SIZE]);

#endif
