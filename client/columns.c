/* SPDX-License-Identifier: MIT */
/*
 * columns.c - values as text that is safe on a terminal, and tables with aligned columns.
 */
#include <config.h>
#include "client/columns.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/draft.h"
#include "client/memory.h"
#include "proto/text.h"

struct columns {
    size_t n;     /* columns */
    char **cells; /* headings first, then row by row */
    size_t n_cells, room;
};

char *columns_visible(const char *text, size_t size)
{
    struct draft out = {0};
    bool is_cut;

    while (size > 0) {
        size_t good = text_utf8_prefix(text, size, &is_cut);
        size_t plain = 0;

        while (plain < good && (unsigned char)text[plain] >= 0x20 && text[plain] != 0x7f)
            plain++;
        /* U+0080 to U+009F are control characters too: C2 80 to C2 9F. */
        for (size_t i = 0; i + 1 < plain; i++)
            if ((unsigned char)text[i] == 0xc2 && (unsigned char)text[i + 1] < 0xa0)
                plain = i;
        draft_add(&out, text, plain);
        text += plain;
        size -= plain;
        if (size == 0)
            break;
        if (plain == good || (unsigned char)*text >= 0x20 || !strchr("\n\r\t", *text) ||
            *text == '\0')
            draft_printf(&out, "\\x%02x", (unsigned char)*text);
        else
            draft_add_string(&out, *text == '\n' ? "\\n" : *text == '\r' ? "\\r" : "\\t");
        /* The second byte of a C2 pair is no UTF-8 by itself and is escaped on the next
         * turn. */
        text++;
        size--;
    }
    return draft_take(&out);
}

static char *list_text(const json_t *list)
{
    struct draft out = {0};
    size_t i;
    const json_t *item;

    json_array_foreach(list, i, item)
    {
        char *text = columns_cell_text(item);

        if (i > 0)
            draft_add_char(&out, ' ');
        draft_add_string(&out, text);
        free(text);
    }
    return draft_take(&out);
}

char *columns_cell_text(const json_t *value)
{
    if (json_is_string(value))
        return columns_visible(json_string_value(value), json_string_length(value));
    if (!value || json_is_null(value))
        return memory_new(1);
    if (json_is_array(value))
        return list_text(value);
    return memory_need(
        json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)));
}

size_t columns_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            width++;
    return width;
}

struct columns *columns_new(const char *const *headings, size_t n)
{
    struct columns *columns = memory_new(sizeof(*columns));

    columns->n = n;
    for (size_t i = 0; i < n; i++) {
        char *heading = memory_need(strdup(headings[i]));

        for (char *c = heading; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        columns_add(columns, heading);
    }
    return columns;
}

void columns_add(struct columns *columns, char *cell)
{
    if (columns->n_cells == columns->room) {
        columns->room = columns->room ? columns->room * 2 : 64;
        columns->cells =
            memory_grow(columns->cells, columns->room * sizeof(*columns->cells));
    }
    if (*cell == '\0') {
        free(cell);
        cell = memory_need(strdup("-"));
    }
    columns->cells[columns->n_cells++] = cell;
}

static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0' || strcmp(text, "-") == 0;
}

void columns_print(const struct columns *columns, FILE *out)
{
    size_t *widths = memory_new(columns->n * sizeof(*widths));
    bool *is_right = memory_new(columns->n * sizeof(*is_right));

    for (size_t i = 0; i < columns->n; i++)
        is_right[i] = true;
    for (size_t i = 0; i < columns->n_cells; i++) {
        size_t width = columns_width(columns->cells[i]);
        size_t column = i % columns->n;

        if (width > widths[column])
            widths[column] = width;
        if (i >= columns->n && !is_number(columns->cells[i]))
            is_right[column] = false;
    }
    for (size_t i = 0; i < columns->n_cells; i++) {
        size_t column = i % columns->n;
        bool is_last = column + 1 == columns->n;
        int pad = (int)(widths[column] - columns_width(columns->cells[i]));
        int before = is_right[column] ? pad : 0;

        /* No blanks at the end of a line. */
        (void)fprintf(out, "%*s%s%*s%s", before, "", columns->cells[i],
                      is_last ? 0 : pad - before, "", is_last ? "\n" : "  ");
    }
    free(widths);
    free(is_right);
}

void columns_free(struct columns *columns)
{
    if (!columns)
        return;
    for (size_t i = 0; i < columns->n_cells; i++)
        free(columns->cells[i]);
    free(columns->cells);
    free(columns);
}
