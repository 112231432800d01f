/* SPDX-License-Identifier: MIT */
/*
 * print_form.h - how a socket is printed: the text that Lisps show for one.
 *
 * Thread: the sock's home.
 */
#ifndef SOCKD_CONTROL_PRINT_FORM_H
#define SOCKD_CONTROL_PRINT_FORM_H

#include <stdbool.h>

struct sock;

/* Room for two host names of any length and what stands around them. */
enum { PRINT_FORM_SIZE = 1024 };

/* "#<multivalent stream socket waiting for connection at HOST/PORT @ #xHANDLE>". With
 * `wants_names` addresses are shown as the names of their hosts where these are known
 * already: nothing is looked up, since that could take a minute. File names are put in as
 * they are, so it may be no UTF-8. */
void print_form(const struct sock *sock, bool wants_names, char text[PRINT_FORM_SIZE]);

#endif
