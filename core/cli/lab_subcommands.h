/*
 * The subcommands that sluice-lab has and `sluice` starts it for: name, words for the help. cmd_NAME() is in core/cli/lab.
 */
#ifndef CLI_LAB_SUBCOMMANDS_H
#define CLI_LAB_SUBCOMMANDS_H

#define LAB_SUBCOMMANDS(ROW)                                                                                           \
	ROW(generate, "write synthetic webhooks to a file")                                                            \
	ROW(replay, "send webhooks to a server on an open-loop schedule and record the responses")                     \
	ROW(verify, "compare stored events with the responses a run received")                                         \
	ROW(analyze, "show where the time of a run's requests went, and what to try")                                  \
	ROW(compare, "compare two configurations under a controlled test, with a verdict")                             \
	ROW(gate, "judge a run by criteria: does it pass, and what to do next")                                        \
	ROW(evidence, "pack a run directory as a bundle of evidence, or verify one")                                   \
	ROW(audit, "recompute the audit chain of a store")                                                             \
	ROW(report, "write the report of a run as a page")                                                             \
	ROW(conform, "check whether a stage keeps the promises of its kind")

#endif
