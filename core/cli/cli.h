/*
 * The subcommands. Each gets its own argv, argv[0] being its name, and returns the exit status of the process: 0 yes or
 * done, 1 no, 2 could not answer. Data goes to stdout, talk to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum {
	STATUS_YES = 0,
	STATUS_NO = 1,
	STATUS_CANNOT = 2,
	STATUS_INVALID = 30, /* the measurement does not hold */
};

/* A sentence on stderr. Whatever is in it, a terminal shows it and obeys none of it. */
void say(const char *sentence);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_stages(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_analyze(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_evidence(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_lineage(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_canary(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_new_stage(int argc, char **argv);
int cmd_conform(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_dead(int argc, char **argv);
int cmd_listen(int argc, char **argv);
int cmd_providers(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_manual(int argc, char **argv);

#endif
