/*
 * sluice evidence pack|verify: the bundle, and whether it still says what was measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "lab/report/evidence.h"
#include "lab/run/run.h"

static void say_missing(void *context, const char *what)
{
	size_t *missing = context;
	(void)printf("%s  %s\n", (*missing)++ == 0 ? "not in it:" : "          ", what);
}

/* Whoever keeps it elsewhere can tell later that the manifest is the one that was packed. */
static void print_manifest_hash(const char *directory)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char hex[DIGEST_HEX_SIZE];
	struct sluice_error error = {0};
	char *path = run_file(directory, RUN_MANIFEST);
	if (digest_file(path, digest, &error)) {
		digest_hex(digest, hex);
		(void)printf("sha256 of " RUN_MANIFEST ": %s\n", hex);
	}
	free(path);
}

static int pack(const char *directory, const char *key)
{
	struct sluice_error error = {0};
	size_t missing = 0;
	if (!evidence_pack(directory, key, say_missing, &missing, &error)) {
		say(error.text);
		return STATUS_CANNOT;
	}
	(void)printf("%s: packed; sha256sum -c and `sluice evidence verify` check it\n", directory);
	print_manifest_hash(directory);
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

static int verify(const char *directory, const char *key)
{
	struct sluice_error error = {0};
	size_t faults;
	if (!evidence_verify(directory, key, say_fault, NULL, &faults, &error)) {
		say(error.text);
		return STATUS_CANNOT;
	}
	if (faults > 0)
		(void)printf("%s: REFUSED, %zu fault%s\n", directory, faults, faults == 1 ? "" : "s");
	else
		(void)printf("%s: the files match the manifest%s, and the verdicts follow from the raw samples\n",
		             directory, key ? ", which that key has signed" : "");
	return faults > 0 ? STATUS_NO : STATUS_YES;
}

int cmd_evidence(int argc, char **argv)
{
	const char *sign = NULL, *key = NULL;
	const struct flag flags[] = {
		{"sign", "KEY.pem", "pack: sign the manifest with this private key of ed25519", NULL, &sign},
		{"key", "PUBLIC.pem", "verify: the manifest must be signed by this key", NULL, &key},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "evidence pack|verify DIR/",
		.about =
			"pack completes a run directory to a bundle of evidence, with a manifest of hashes, and prints the "
			"manifest's own; verify checks every hash and computes again what follows from the raw samples: the verdicts, "
			"the report, every figure. Exit status: 0 "
			"complete, or as the manifest says; 1 something is missing, or not as it says; 2 it could not be done. "
			"Whoever can write to the directory could make it all anew, run and verdict: that it is the bundle that was packed "
			"shows its signature, or the manifest's hash that you kept elsewhere.",
		.example =
			"sluice evidence pack run-1/ --sign me.pem && sluice evidence verify run-1/ --key me-public.pem",
		.flags = flags,
		.operands_min = 2,
		.operands_max = 2,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = STATUS_CANNOT;
	if (strcmp(arguments.operands[0], "pack") == 0)
		status = pack(arguments.operands[1], sign);
	else if (strcmp(arguments.operands[0], "verify") == 0)
		status = verify(arguments.operands[1], key);
	else
		(void)fprintf(stderr, "sluice evidence: expected pack or verify, got %s; see --help\n",
		              arguments.operands[0]);
	arguments_finish(&arguments);
	return status;
}
