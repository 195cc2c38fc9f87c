/* Telling the service manager; see notify.h. Without libsystemd, which would be one more library for one datagram. */
#include "serve/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	if (!path || !*path)
		return true;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path)) {
		errno = EINVAL;
		return false;
	}
	memcpy(address.sun_path, path, size);
	if (path[0] == '@') /* an abstract name: no file, and no NUL at its end */
		address.sun_path[0] = '\0';
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sender < 0)
		return false;
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	ssize_t sent = sendto(sender, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, length);
	int cause = errno;
	(void)close(sender);
	errno = cause;
	return sent == (ssize_t)strlen(state);
}
