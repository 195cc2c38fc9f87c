/*
 * A listening socket, opened by the server itself: so that its errors name the address, port 0 works, and nobody
 * accepts on it but who is told to.
 */
#ifndef SERVE_LISTENER_H
#define SERVE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

enum { LISTENER_URL_SIZE = 80 };

/* Listens on a numeric address or a host name, without blocking; -1 and a sentence if it cannot, which names the setting:
 * `section` is where address and port come from, "listen". */
int listener_open(const char *section, const char *address, int64_t port, struct sluice_error *error);

/* Where it listens, as "http://127.0.0.1:5000" or "http://[::1]:5000". */
void listener_get_url(int fd, char url[LISTENER_URL_SIZE]);

/* Whether only this machine can reach it. */
bool listener_is_loopback(int fd);

#endif
