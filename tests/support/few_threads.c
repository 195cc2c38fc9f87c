/*
 * Preloaded into a process, it lets it have THREADS_AT_MOST threads and no more: what the system says at its limit.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                                          void *(*run)(void *), void *argument)
{
	static atomic_long count;
	const char *most = getenv("THREADS_AT_MOST");
	if (most && atomic_fetch_add(&count, 1) >= strtol(most, NULL, 10))
		return EAGAIN;
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attributes, run, argument);
}
