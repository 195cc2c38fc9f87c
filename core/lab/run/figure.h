/*
 * Figures as people read them: three digits that mean something, and the unit in which they are short.
 */
#ifndef LAB_RUN_FIGURE_H
#define LAB_RUN_FIGURE_H

/* Text by value, for use in the same expression: figure_of(231.4, "ms").text. UTF-8. */
struct figure {
	char text[48];
};

/* "231 ms", "62.1 ms", "1.43 GiB"; units µs, ms, B, bytes, KiB and MiB give way to the next one up from 1000 or 1024
 * on, and ms to µs below 0.1. "1/s" is written behind the digits, "500/s". `unit` "": the digits alone. Not finite:
 * "–". */
struct figure figure_of(double value, const char *unit);

/* As it was given, not measured: no digit more than it needs, "95 %", "0.0042"; at most six decimals. */
struct figure figure_given(double value, const char *unit);

/* Whole, with commas: "30,000". */
struct figure figure_count(double count);

/* A fraction of 1 as a signed change, "−73.2 %", and as a share, "99.93 %". */
struct figure figure_change(double fraction);
struct figure figure_share(double fraction);

#endif
