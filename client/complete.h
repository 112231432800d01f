/* SPDX-License-Identifier: MIT */
/*
 * complete.h - what can stand at the end of a command line that is being typed.
 *
 * The shell completion (sockctl.bash) calls "sockctl --complete LINE".
 */
#ifndef SOCKD_CLIENT_COMPLETE_H
#define SOCKD_CLIENT_COMPLETE_H

/*
 * Writes the words that can stand in the place of the last word of `line`, one a line;
 * ":files" stands for the names of files. Handles are asked of the daemon, if it answers
 * within a moment. Returns the exit status.
 */
int complete_line(const char *line);

#endif
