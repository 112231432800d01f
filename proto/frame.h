/* SPDX-License-Identifier: MIT */
/*
 * frame.h - bytes to lines: one JSON text per LF-terminated line, found without copying.
 *
 * No I/O. The caller feeds what it read and takes whole lines out; the rest of a line
 * that has not ended is kept. Lines have a size limit; when it is passed the frame is
 * `broken` for good. CR before the LF is stripped; lines of white space only are skipped.
 */
#ifndef SOCKD_PROTO_FRAME_H
#define SOCKD_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* Owner: whoever embeds it; all zero but `limit` is an empty one. */
struct frame {
    char *data; /* kept bytes, no LF among them; NULL while there are none */
    size_t size, room;
    size_t limit; /* longest line in bytes, without its LF */
    bool is_broken;
};

enum frame_result { FRAME_LINE, FRAME_MORE, FRAME_TOO_LONG, FRAME_NO_MEMORY };

/*
 * Takes the next line out of `*input` (which advances) and what was kept before. The line
 * has no NUL behind it, lies in the input or in the frame and stays valid until the next
 * call. FRAME_MORE: the input is used up (its rest is kept). FRAME_TOO_LONG: from now on,
 * always.
 *
 *     while ((r = frame_next(&f, &input, &size, &line, &line_size)) == FRAME_LINE) ...
 */
enum frame_result frame_next(struct frame *frame, const char **input, size_t *size,
                             char **line, size_t *line_size);

void frame_fini(struct frame *frame);

#endif
