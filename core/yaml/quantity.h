/*
 * Quantities as people write them: whole numbers, sizes, durations, percentages; from text and back.
 *
 * What a print function writes, the parse function of the same name reads as the same value. A parse function returns
 * false for anything but a whole quantity, without touching *out: "1.5MiB" is one, "1.5" bytes is not, nor is "64 KiB"
 * or "0x10".
 */
#ifndef YAML_QUANTITY_H
#define YAML_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Decimal, with an optional minus. */
bool quantity_parse_int(const char *text, int64_t *out);

/* Bytes: a number with nothing, B, kB MB GB TB (powers of 1000) or KiB MiB GiB TiB (powers of 1024). */
bool quantity_parse_size(const char *text, uint64_t *out);
void quantity_print_size(uint64_t bytes, struct buffer *out);

/* A number with ns us ms s m h d; 0 may stand alone. */
bool quantity_parse_duration(const char *text, int64_t *ns_out);
void quantity_print_duration(int64_t ns, struct buffer *out);

/* "2%", "0.1%" as a fraction: 0.02, 0.001. Not negative. */
bool quantity_parse_percent(const char *text, double *fraction_out);
void quantity_print_percent(double fraction, struct buffer *out);

#endif
