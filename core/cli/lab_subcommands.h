/*
 * The subcommands that sluice-lab has and `sluice` starts it for: name, words for the help. cmd_NAME() is in core/cli/lab.
 */
#ifndef CLI_LAB_SUBCOMMANDS_H
#define CLI_LAB_SUBCOMMANDS_H

#define LAB_SUBCOMMANDS(ROW)                                                                                           \
	ROW(generate, "write synthetic webhooks to a file")                                                            \
	ROW(replay, "send webhooks to a server on an open-loop schedule, and write down what came back")               \
	ROW(verify, "hold what is stored against what a run was answered")                                             \
	ROW(analyze, "say where the time of a run's requests went, and what to try")                                   \
	ROW(compare, "put two configurations under a controlled test, and give a verdict")                             \
	ROW(gate, "judge a run by criteria: whether it passes, and what to do next")                                   \
	ROW(evidence, "make a run directory a bundle of evidence, or check one")                                       \
	ROW(audit, "recompute the audit chain of a store")                                                             \
	ROW(report, "write the report of a run, for people")                                                           \
	ROW(conform, "check whether a stage keeps the promises of its kind")

#endif
