/*
 * Numbers in JSON text (RFC 8259, section 6) and whether a double can hold them.
 */
#ifndef MAPPING_NUMBER_H
#define MAPPING_NUMBER_H

enum number_fault {
	NUMBER_VALID,
	NUMBER_MALFORMED,
	NUMBER_OUT_OF_RANGE, /* it would be rounded to infinity; one that is rounded to 0 is in range */
};

/* Moves *at behind the number that begins there: or to the byte that is wrong, which may be `end`. */
enum number_fault number_scan(const char **at, const char *end);

#endif
