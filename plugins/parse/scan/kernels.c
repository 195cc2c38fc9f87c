/*
 * Which kernels there are, and a scan with one of them. A kernel only ever says that a text is JSON; of what it does not
 * take, the plain scanner says what is wrong and where, so that all agree in every sentence.
 */
#include "kernel.h"

#include "block.h"
#include "mapping/paths.h"

#define BYTES_8(c) c, c, c, c, c, c, c, c
#define BYTES(c)                                                                                                       \
	{                                                                                                              \
		BYTES_8(c), BYTES_8(c), BYTES_8(c), BYTES_8(c), BYTES_8(c), BYTES_8(c), BYTES_8(c), BYTES_8(c)         \
	}

const struct block_bytes block_bytes = {{
	[BYTE_QUOTE] = BYTES('"'),
	[BYTE_BACKSLASH] = BYTES('\\'),
	[BYTE_COMMA] = BYTES(','),
	[BYTE_COLON] = BYTES(':'),
	[BYTE_OPEN] = BYTES('{'),
	[BYTE_CLOSE] = BYTES('}'),
	[BYTE_SPACE] = BYTES(' '),
}};

static const char *find_root(struct sluice_bytes text)
{
	const char *at = text.data, *end = at + text.size;
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at < end && (*at == '{' || *at == '[') ? at : NULL;
}

bool kernel_scan(const struct kernel *kernel, struct scan *scan)
{
	const char *root = find_root(scan->text);
	if (!root || !kernel->scan) /* a root that is neither object nor array is short */
		return scan_json(scan);
	switch (kernel->scan(scan, root)) {
	case KERNEL_TAKEN:
		scan->fault = SCAN_NO_FAULT;
		return true;
	case KERNEL_NO_MEMORY:
		scan->fault = SCAN_NO_MEMORY;
		return false;
	default:
		paths_begin(scan->paths);
		return scan_json(scan);
	}
}

static bool always(void)
{
	return true;
}

#ifdef __x86_64__
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("pclmul");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("pclmul");
}
#endif

const struct kernel kernels[] = {
#ifdef __x86_64__
	{"avx512", kernel_scan_avx512, has_avx512},
	{"avx2", kernel_scan_avx2, has_avx2},
	{"sse2", kernel_scan_sse2, always},
#endif
	{"plain", NULL, always},
	{NULL, NULL, NULL},
};

const struct kernel *kernel_choose(void)
{
	const struct kernel *kernel = kernels;
	while (!kernel->is_supported())
		kernel++;
	return kernel;
}
