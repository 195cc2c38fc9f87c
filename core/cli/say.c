#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cli/cli.h"

void say(const char *sentence)
{
	printable_write(stderr, PRINTABLE_LINE, sentence, strlen(sentence));
	(void)fputc('\n', stderr);
}
