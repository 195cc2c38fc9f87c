/*
 * The version of the stage ABI and of Sluice.
 *
 * A stage loads when its major equals the host's and its minor is not above the host's. Within a major, every struct
 * that crosses the boundary only grows at its end; what an older stage did not know of is NULL or zero.
 */
#ifndef SLUICE_VERSION_H
#define SLUICE_VERSION_H

#define SLUICE_ABI_MAJOR 1
#define SLUICE_ABI_MINOR 1

#define SLUICE_VERSION "0.1.0"

#endif
