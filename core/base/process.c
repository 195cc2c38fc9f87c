#include "base/process.h"

#include <errno.h>
#include <sys/wait.h>

bool process_wait(pid_t child, int *status_out)
{
	pid_t ended;
	do
		ended = waitpid(child, status_out, 0);
	while (ended < 0 && errno == EINTR);
	return ended == child;
}
