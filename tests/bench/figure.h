/* SPDX-License-Identifier: MIT */
/* figure.h - one line for each figure of a benchmark, with its target. */
#ifndef SOCKD_TESTS_BENCH_FIGURE_H
#define SOCKD_TESTS_BENCH_FIGURE_H

/* `limit` is the most that it may be, `least` the least; 0: there is none. */
void figure_tell(const char *what, double value, const char *unit, double limit);
void figure_tell_least(const char *what, double value, const char *unit, double least);

#endif
