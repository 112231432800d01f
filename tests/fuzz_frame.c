/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c - frame.c against a simple search for lines.
 *
 * Input: one byte for the limit, one for the size of the pieces, then the bytes of the
 * stream.
 */
#include <config.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of `text` that is not white space, found the plain way. */
struct model {
    const char *text;
    size_t size, at, limit;
};

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            return false;
        }
    }
    return true;
}

static enum frame_result model_next(struct model *model, const char **line, size_t *size)
{
    for (;;) {
        size_t end = model->at;

        while (end < model->size && model->text[end] != '\n') {
            end++;
        }
        *line = model->text + model->at;
        *size = end - model->at;
        if (*size > model->limit) {
            return FRAME_TOO_LONG;
        }
        if (end == model->size) {
            return FRAME_MORE;
        }
        model->at = end + 1;
        if (*size && (*line)[*size - 1] == '\r') {
            --*size;
        }
        if (!is_blank(*line, *size)) {
            return FRAME_LINE;
        }
    }
}

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame = {0};
    struct model model = {0};
    enum frame_result result = FRAME_MORE;
    size_t step, wanted_size, line_size;
    const char *wanted;
    char *line;

    if (size < 2) {
        return 0;
    }
    frame.limit = model.limit = data[0];
    step = (size_t)data[1] + 1;
    model.text = (const char *)data + 2;
    model.size = size - 2;
    for (size_t at = 0; at < model.size && result == FRAME_MORE; at += step) {
        size_t piece_size = model.size - at < step ? model.size - at : step;
        size_t rest = piece_size;
        char *piece = malloc(piece_size);
        const char *p = piece;

        must(piece != NULL);
        memcpy(piece, model.text + at, piece_size);
        while ((result = frame_next(&frame, &p, &rest, &line, &line_size)) ==
               FRAME_LINE) {
            must(model_next(&model, &wanted, &wanted_size) == FRAME_LINE);
            must(line_size == wanted_size && memcmp(line, wanted, line_size) == 0);
        }
        free(piece);
    }
    /* The model sees the whole: it may find a line too long only where the frame has. */
    must(model_next(&model, &wanted, &wanted_size) == result);
    frame_fini(&frame);
    return 0;
}
