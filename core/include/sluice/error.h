/*
 * An error is a sentence for the person who can mend it: the name of the thing, what was expected, what was found.
 *
 * The caller owns the struct and starts it as {0}. The first error wins: whoever finds one set leaves it alone, so the
 * cause is reported and not its consequences. Not shared between threads.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_error {
	char text[1024]; /* NUL-terminated UTF-8 without a final newline; empty: no error */
};

#if defined(__GNUC__)
#define SLUICE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SLUICE_PRINTF(text, first)
#endif

/* Sets the text unless one is set already. Returns false, so that a function can end with `return sluice_error_set(…)`.
 * `error` may be NULL: the caller does not want the sentence. A text that is too long is cut. */
SLUICE_PRINTF(2, 3)
static inline bool sluice_error_set(struct sluice_error *error, const char *format, ...)
{
	if (!error || error->text[0])
		return false;
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return false;
}

#ifdef __cplusplus
}
#endif
#endif
