/*
 * How much memory the process may use: the limit of its control group (cgroups(7), versions 1 and 2), or of one around that, or what the
 * machine has.
 */
#ifndef BASE_MEMORY_LIMIT_H
#define BASE_MEMORY_LIMIT_H

#include <stdint.h>

uint64_t memory_limit(void); /* bytes */

/* The same below other folders than /proc/self and /sys/fs/cgroup, for tests. */
uint64_t memory_limit_at(const char *process, const char *groups, uint64_t machine);

#endif
