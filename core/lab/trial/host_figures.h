/*
 * What the machine and its processes have used, from /proc: the difference from one look to the next.
 *
 * Processes are sorted by whose load they are: the server's (what the laboratory has started, and every process with the name of a
 * store), the laboratory's, the kernel's, and others'. In doubt a process is the server's, so that it has no excuse.
 */
#ifndef LAB_TRIAL_HOST_FIGURES_H
#define LAB_TRIAL_HOST_FIGURES_H

#include <sys/types.h>

enum host_owner { HOST_OWNER_SERVER, HOST_OWNER_LABORATORY, HOST_OWNER_OTHERS, HOST_OWNER_KERNEL, HOST_OWNERS };

/* Since the look before. What the kernel does not tell is 0. */
struct host_figures {
	double processor_ms[HOST_OWNERS]; /* of processes; of others no more than is left of what the machine used */
	double written_bytes[HOST_OWNERS];
	double stolen_ms; /* by the hypervisor */
	double disk_written_bytes, disk_read_bytes, disk_flushes /* and discards */, disk_busy_ms; /* of all disks */
	double cpu_pressure_ms, io_pressure_ms, memory_pressure_ms;                                /* PSI, "some" */
};

struct host_reader;

/* `root` is "", or what stands before /proc and /sys in a test. `laboratory` and `meter` are processes of the laboratory's own. */
struct host_reader *host_reader_create(const char *root, pid_t laboratory, pid_t meter);
void host_reader_free(struct host_reader *reader);

/* The first look has nothing to compare with: all is 0. */
void host_reader_look(struct host_reader *reader, struct host_figures *figures_out);

#endif
