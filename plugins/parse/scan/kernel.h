/*
 * Scanners that take 64 bytes of text at a time, one for each instruction set.
 */
#ifndef SCAN_KERNEL_H
#define SCAN_KERNEL_H

#include "mapping/scan.h"

enum kernel_verdict {
	KERNEL_TAKEN,    /* it is JSON; the root is set, the paths are told, as scan_json() does */
	KERNEL_DECLINED, /* it may be none: scan_json() knows, and where the fault is */
	KERNEL_NO_MEMORY,
};

/* `root`: the brace or bracket that the text begins with. */
typedef enum kernel_verdict kernel_fn(struct scan *scan, const char *root);

struct kernel {
	const char *name;
	kernel_fn *scan;            /* NULL: scan_json() alone */
	bool (*is_supported)(void); /* by this processor */
};

/* The fastest first; the last but one is supported everywhere, the last has no name. */
extern const struct kernel kernels[];

/* The fastest that this processor supports. */
const struct kernel *kernel_choose(void);

/* As scan_json(). */
bool kernel_scan(const struct kernel *kernel, struct scan *scan);

#ifdef __x86_64__
kernel_fn kernel_scan_avx512, kernel_scan_avx2, kernel_scan_sse2;
#endif

#endif
