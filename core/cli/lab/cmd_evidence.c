/*
 * sluice evidence pack|verify: the bundle, and whether it still says what was measured.
 */
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "lab/report/evidence.h"

static void say_missing(void *context, const char *what)
{
	size_t *missing = context;
	(void)printf("%s  %s\n", (*missing)++ == 0 ? "not in it:" : "          ", what);
}

static int pack(const char *directory)
{
	struct sluice_error error = {0};
	size_t missing = 0;
	if (!evidence_pack(directory, say_missing, &missing, &error)) {
		say(error.text);
		return STATUS_CANNOT;
	}
	(void)printf("%s: packed; sha256sum -c and `sluice evidence verify` check it\n", directory);
	return missing > 0 ? STATUS_NO : STATUS_YES;
}

static void say_fault(void *context, const char *file, const char *what)
{
	(void)context;
	printable_write(stdout, PRINTABLE_LINE, file, strlen(file));
	(void)printf(": ");
	printable_write(stdout, PRINTABLE_LINE, what, strlen(what));
	(void)printf("\n");
}

static int verify(const char *directory)
{
	struct sluice_error error = {0};
	size_t faults;
	if (!evidence_verify(directory, say_fault, NULL, &faults, &error)) {
		say(error.text);
		return STATUS_CANNOT;
	}
	if (faults > 0)
		(void)printf("%s: REFUSED, %zu fault%s\n", directory, faults, faults == 1 ? "" : "s");
	else
		(void)printf("%s: the files match the manifest, and the verdicts follow from the raw samples\n",
		             directory);
	return faults > 0 ? STATUS_NO : STATUS_YES;
}

int cmd_evidence(int argc, char **argv)
{
	struct command command = {
		.usage = "evidence pack|verify DIR/",
		.about =
			"pack completes a run directory to a bundle of evidence, with a manifest of hashes; verify "
			"checks every hash and computes the verdicts again from the raw samples. Exit status: 0 "
			"complete, or as the manifest says; 1 something is missing, or not as it says; 2 it could not be done. "
			"Whoever can write to the directory can also replace its manifest: to know that it is the one that was packed, keep the "
			"manifest's own hash elsewhere.",
		.example = "sluice evidence pack run-1/ && sluice evidence verify run-1/",
		.operands_min = 2,
		.operands_max = 2,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = STATUS_CANNOT;
	if (strcmp(arguments.operands[0], "pack") == 0)
		status = pack(arguments.operands[1]);
	else if (strcmp(arguments.operands[0], "verify") == 0)
		status = verify(arguments.operands[1]);
	else
		(void)fprintf(stderr, "sluice evidence: expected pack or verify, got %s; see --help\n",
		              arguments.operands[0]);
	arguments_finish(&arguments);
	return status;
}
