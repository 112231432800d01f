/* SPDX-License-Identifier: MIT */
/*
 * output.c - a result as text for people, by the RESULT rows of its command.
 *
 * Called by run.c and the verbs. Members that this build has no row for are shown too,
 * after the others: a newer daemon may send more.
 */
#include <config.h>
#include "client/output.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/problem.h"
#include "proto/ipaddr.h"
#include "proto/text.h"
#include "proto/value.h"

/* The rows of a result or an object, those of VALUE_INCLUDE put in their place. Owner:
 * the stack. */
struct row_list {
    const struct result_row **rows;
    size_t n, room;
};

void output_each_row(const struct result_row *rows, unsigned n_rows,
                     void (*visit)(const struct result_row *row, void *state),
                     void *state)
{
    for (unsigned i = 0; i < n_rows; i++) {
        const struct object_row *object =
            rows[i].type == VALUE_INCLUDE ? table_object(rows[i].spec) : NULL;

        if (object)
            output_each_row(object->fields, object->n_fields, visit, state);
        else
            visit(&rows[i], state);
    }
}

static void collect(const struct result_row *row, void *state)
{
    struct row_list *list = state;

    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 32;
        list->rows = memory_grow(list->rows, list->room * sizeof(*list->rows));
    }
    list->rows[list->n++] = row;
}

static struct row_list rows_of(const struct result_row *rows, unsigned n_rows)
{
    struct row_list list = {0};

    output_each_row(rows, n_rows, collect, &list);
    return list;
}

static const struct result_row *row_named(const struct row_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->rows[i]->name, name) == 0)
            return list->rows[i];
    return NULL;
}

/* ---- Data
 * --------------------------------------------------------------------------------- */

char *output_data(const json_t *result, const struct result_row *row, size_t *size)
{
    const json_t *value = json_object_get(result, row->name);
    const char *encoding = json_string_value(json_object_get(result, "encoding"));
    const char *text = json_string_value(value);
    size_t text_size = json_string_length(value);
    ptrdiff_t out_size = (ptrdiff_t)text_size;

    if (!text)
        return NULL;
    char *out = memory_new(text_size + 1);

    if (encoding && strcmp(encoding, "base64") == 0)
        out_size = text_base64_decode(text, text_size, out);
    else if (encoding && strcmp(encoding, "latin-1") == 0)
        out_size = text_latin1_encode(text, text_size, out);
    else
        memcpy(out, text, text_size);
    if (out_size <
        0) { /* not what the encoding says: better shown as it came than lost */
        memcpy(out, text, text_size);
        out_size = (ptrdiff_t)text_size;
    }
    *size = (size_t)out_size;
    return out;
}

static const struct result_row *data_row(const struct row_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->rows[i]->type == VALUE_DATA)
            return list->rows[i];
    return NULL;
}

/* The members but `main_row`, on one line. */
static void write_note(FILE *notes, const struct row_list *list,
                       const struct result_row *main_row, const json_t *result)
{
    struct draft line = {0};

    for (size_t i = 0; i < list->n; i++) {
        const struct result_row *row = list->rows[i];
        char *text = columns_cell_text(json_object_get(result, row->name));

        if (row != main_row && *text)
            draft_printf(&line, "%s%s: %s", line.size ? ", " : "", row->name, text);
        free(text);
    }
    if (line.size)
        (void)fprintf(notes, "(%s)\n", line.data);
    draft_fini(&line);
}

/* A read that brought nothing because the stream is over. */
static bool is_end(const json_t *result, bool has_content)
{
    return !has_content && json_is_true(json_object_get(result, "eof"));
}

static int write_data(FILE *out, const struct result_row *row, const json_t *result)
{
    size_t size = 0;
    char *data = output_data(result, row, &size);
    const json_t *missing = json_object_get(result, "missing-newline");

    if (data)
        (void)fwrite(data, 1, size, out);
    /* The line feed that the daemon took off is put back. */
    bool is_line = data && json_is_false(missing);

    if (is_line)
        (void)putc('\n', out);
    free(data);
    return is_end(result, data && (size > 0 || is_line)) ? STATUS_END : STATUS_OK;
}

/* ---- Lines and tables
 * --------------------------------------------------------------------- */

static void write_members(FILE *out, const struct row_list *list, json_t *object,
                          int indent);

/* "C=US, CN=example.org" */
char *output_pairs(const json_t *pairs)
{
    struct draft text = {0};
    size_t i;
    const json_t *pair;

    json_array_foreach(pairs, i, pair)
    {
        char *name = columns_cell_text(json_array_get(pair, 0));
        char *value = columns_cell_text(json_array_get(pair, 1));

        draft_printf(&text, "%s%s=%s", i > 0 ? ", " : "", name, value);
        free(name);
        free(value);
    }
    return draft_take(&text);
}

/* "user/pid"; the number where the user has no name. */
char *output_owner(const json_t *owner)
{
    const char *user = json_string_value(json_object_get(owner, "user"));
    char *who = columns_cell_text(json_object_get(owner, user ? "user" : "uid"));
    char *pid = columns_cell_text(json_object_get(owner, "pid"));
    struct draft text = {0};

    draft_printf(&text, "%s%s%s", who, *pid ? "/" : "", pid);
    free(who);
    free(pid);
    return draft_take(&text);
}

/* An IPv4 address is an integer on the wire. */
static char *address_text(const json_t *value)
{
    char text[IPADDR_TEXT_SIZE];
    struct value_ip ip;

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > UINT32_MAX)
        return columns_cell_text(value);
    ipaddr_from_integer(&ip, (uint32_t)json_integer_value(value));
    ipaddr_format(&ip, text);
    return memory_need(strdup(text));
}

/* The addresses of a list, or one by itself, and what else there is. */
static char *addresses_text(const json_t *value)
{
    struct draft text = {0};
    const json_t *item;
    size_t i;

    if (!json_is_array(value))
        return address_text(value);
    json_array_foreach(value, i, item)
    {
        char *cell = address_text(item);

        draft_printf(&text, "%s%s", i > 0 ? " " : "", cell);
        free(cell);
    }
    return draft_take(&text);
}

static bool has_addresses(const struct result_row *row)
{
    return row->type == VALUE_ADDRESS ||
           (row->type == VALUE_JSON && row->spec && strcmp(row->spec, "address") == 0);
}

static char *cell_of(const struct result_row *row, const json_t *value)
{
    if (row && row->type == VALUE_PAIRS)
        return output_pairs(value);
    if (row && has_addresses(row))
        return addresses_text(value);
    if (row && row->type == VALUE_OBJECT && row->spec && json_is_object(value) &&
        strcmp(row->spec, "owner") == 0)
        return output_owner(value);
    return columns_cell_text(value);
}

void output_table(FILE *out, const struct object_row *object, const json_t *list)
{
    struct row_list rows = rows_of(object->fields, object->n_fields);
    const char **headings = memory_new((rows.n + 1) * sizeof(*headings));
    size_t n = 0, i;
    const json_t *item;

    for (size_t r = 0; r < rows.n; r++) {
        /* An empty list has the headings alone. */
        bool is_used = json_array_size(list) == 0;

        json_array_foreach(list, i, item)
        {
            const json_t *value = json_object_get(item, rows.rows[r]->name);

            is_used = is_used || (value && !json_is_null(value));
        }
        if (is_used) {
            rows.rows[n] = rows.rows[r];
            headings[n++] = rows.rows[r]->name;
        }
    }
    if (n > 0) {
        struct columns *columns = columns_new(headings, n);

        json_array_foreach(list, i, item)
        {
            for (size_t r = 0; r < n; r++)
                columns_add(columns, cell_of(rows.rows[r],
                                             json_object_get(item, rows.rows[r]->name)));
        }
        columns_print(columns, out);
        columns_free(columns);
    }
    free(headings);
    free(rows.rows);
}

static bool is_table(const json_t *value)
{
    return json_is_object(json_array_get(value, 0));
}

/* Of those with their value on the same line. */
static size_t label_width(json_t *object)
{
    size_t width = 0;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        if (!json_is_null(value) && !json_is_object(value) && !is_table(value) &&
            strlen(name) > width)
            width = strlen(name);
    }
    return width;
}

/* Texts with lines of their own, as PEM has them, are shown in these, where they can be
 * copied from. */
static bool has_lines(const json_t *value)
{
    const char *text = json_string_value(value);
    const char *line_feed = text ? strchr(text, '\n') : NULL;

    return line_feed && line_feed[1];
}

static void write_lines(FILE *out, const char *name, const json_t *value, int indent)
{
    const char *text = json_string_value(value);
    const char *end = text + json_string_length(value);

    (void)fprintf(out, "%*s%s:\n", indent, "", name);
    while (text < end) {
        const char *line_feed = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((line_feed ? line_feed : end) - text);
        char *line = columns_visible(text, size);

        (void)fprintf(out, "%s\n", line);
        free(line);
        text += size + (line_feed != NULL);
    }
}

/* One object after the other: what has lines of its own makes no table. */
static void write_blocks(FILE *out, const struct object_row *object, json_t *items,
                         int indent)
{
    struct row_list list = rows_of(object->fields, object->n_fields);
    size_t i;
    json_t *item;

    json_array_foreach(items, i, item)
    {
        if (i > 0)
            (void)fputc('\n', out);
        write_members(out, &list, item, indent);
    }
    free(list.rows);
}

static bool is_blocks(const json_t *items)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_array_get(items, 0), name, value)
    {
        if (has_lines(value))
            return true;
    }
    return false;
}

static void write_member(FILE *out, const char *name, const struct result_row *row,
                         json_t *value, int indent, size_t width)
{
    bool is_object = json_is_object(value) && json_object_size(value) > 0;
    const struct object_row *object = row && row->spec && (is_object || is_table(value))
                                          ? table_object(row->spec)
                                          : NULL;

    if (is_object) {
        struct row_list list =
            object ? rows_of(object->fields, object->n_fields) : (struct row_list){0};

        (void)fprintf(out, "%*s%s:\n", indent, "", name);
        write_members(out, &list, value, indent + 2);
        free(list.rows);
    } else if (is_table(value) && object) {
        (void)fprintf(out, "%*s%s:\n", indent, "", name);
        if (is_blocks(value))
            write_blocks(out, object, value, indent + 2);
        else
            output_table(out, object, value);
    } else if (has_lines(value)) {
        write_lines(out, name, value, indent);
    } else {
        char *text = cell_of(row, value);
        int pad = (int)(width - strlen(name));

        (void)fprintf(out, "%*s%s:%*s %s\n", indent, "", name, pad, "",
                      *text ? text : "-");
        free(text);
    }
}

/* The members in the order of the rows, then those without a row. Null ones are left out.
 */
static void write_members(FILE *out, const struct row_list *list, json_t *object,
                          int indent)
{
    size_t width = label_width(object);
    const char *name;
    json_t *value;

    for (size_t i = 0; i < list->n; i++) {
        value = json_object_get(object, list->rows[i]->name);
        if (value && !json_is_null(value))
            write_member(out, list->rows[i]->name, list->rows[i], value, indent, width);
    }
    json_object_foreach(object, name, value)
    {
        if (!row_named(list, name) && !json_is_null(value)) {
            char *shown = columns_visible(name, strlen(name));

            write_member(out, shown, NULL, value, indent, width);
            free(shown);
        }
    }
}

/* A value that stands alone: lists one a line. */
static void write_value(FILE *out, const json_t *value)
{
    size_t i;
    const json_t *item;

    if (!json_is_array(value)) {
        char *text = columns_cell_text(value);

        (void)fprintf(out, "%s\n", text);
        free(text);
        return;
    }
    json_array_foreach(value, i, item)
    {
        char *text = columns_cell_text(item);

        (void)fprintf(out, "%s\n", text);
        free(text);
    }
}

/* The row of the result's one list of objects, when nothing else is worth a line. */
static const struct result_row *table_row(const struct row_list *list,
                                          const json_t *result)
{
    const struct result_row *found = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const json_t *value = json_object_get(result, list->rows[i]->name);

        if (list->rows[i]->type == VALUE_OBJECTS && !found)
            found = list->rows[i];
        else if (value && !json_is_null(value))
            return NULL;
    }
    return found && table_object(found->spec) ? found : NULL;
}

int output_result(FILE *out, FILE *notes, const struct command *command, json_t *result)
{
    struct row_list list = rows_of(command->results, command->n_results);
    const struct result_row *main_row = data_row(&list);
    const struct result_row *table = table_row(&list, result);
    int status = STATUS_OK;

    if (main_row && json_object_get(result, main_row->name)) {
        status = write_data(out, main_row, result);
    } else {
        main_row = row_named(&list, "value");
        if (!json_object_get(result, "value"))
            main_row =
                json_object_get(result, "values") ? row_named(&list, "values") : NULL;
        const json_t *value = main_row ? json_object_get(result, main_row->name) : NULL;

        if (main_row && is_end(result, !json_is_null(value)))
            status = STATUS_END;
        else if (main_row)
            write_value(out, value);
        else if (table)
            output_table(out, table_object(table->spec),
                         json_object_get(result, table->name));
        else
            write_members(out, &list, result, 0);
    }
    if (main_row && notes)
        write_note(notes, &list, main_row, result);
    free(list.rows);
    return status;
}
