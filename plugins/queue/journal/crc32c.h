/*
 * CRC-32C (Castagnoli), as in RFC 3720, appendix B.4: of "123456789" it is e3069283.
 */
#ifndef QUEUE_JOURNAL_CRC32C_H
#define QUEUE_JOURNAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 at first. From any thread. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
