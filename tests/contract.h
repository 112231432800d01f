/* SPDX-License-Identifier: MIT */
/*
 * contract.h - holds every reply of the daemon against the table, and remembers what was
 * tried.
 *
 * A result must have exactly the members its command's RESULT rows name, of the types
 * these say; one may be null or absent only where its row says so. An error must stand in
 * errors.def with the code of its row. What a program exercised (commands, parameters,
 * error identifiers, members of results) is written to a file; the test
 * tests/contract_coverage reads these of all programs at the end and fails for what no
 * test has touched.
 *
 * Place: wire.c calls it for each message; tests of the library and of sockctl may call
 * the contract_saw_ functions themselves. Thread: the one that runs the test.
 */
#ifndef SOCKD_TESTS_CONTRACT_H
#define SOCKD_TESTS_CONTRACT_H

#include <jansson.h>
#include <stdbool.h>

/* Remembers a request: its method, if the table has it, and those of its parameters it
 * knows. */
void contract_saw_request(const char *method, const json_t *params);

/* Remembers what is in one line of either side: requests, and errors, which are also
 * checked. Of results it cannot tell whose they are. */
void contract_saw_line(const char *line);

/* Remembers that an error with this identifier was seen. */
void contract_saw_error(const char *identifier);

/* Holds a reply against the table; `method` NULL: the reply must be an error. Each
 * deviation is a failure of the running test, which goes on. */
void contract_check_reply(const char *method, const json_t *reply);

/* The same for a result alone, as the library and sockctl give it. */
void contract_check_result(const char *method, const json_t *result);

/* Name of the folder the records are in: tests/record in the build. NULL: nothing is
 * recorded, as when a test is run by hand outside of the build. Made when it is not
 * there. */
const char *contract_folder(void);

#endif
