/*
 * The version of the stage ABI and of Sluice.
 *
 * A stage loads when its major equals the host's and its minor is not above the host's. Within a major, the structs
 * that the host makes (event, batch, stage, worker, observer, host) and the tables that a stage exports (stage_ops,
 * the five KIND_ops, option) only grow at their ends; what an older stage did not know of is NULL or zero. The small ones
 * that stand in arrays or are made by stages (bytes, header, field, error, duration, strings, extension, record,
 * audit_row) stay as they are for the whole major, and so does the table behind an extension's id.
 */
#ifndef SLUICE_VERSION_H
#define SLUICE_VERSION_H

#define SLUICE_ABI_MAJOR 1
#define SLUICE_ABI_MINOR 0

#define SLUICE_VERSION "0.1.0"

#endif
