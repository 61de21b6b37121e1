/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from defaults, an INI file and the command line: see conf.h. */
#include "common/base/conf.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* inih's own bound is INI_MAX_LINE (200), with the newline and the end. */
#define LINE_MAX_BYTES (INI_MAX_LINE - 2)

static void *member(const struct conf_item *item, void *target)
{
    return (char *)target + item->offset;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        bool is_yes = strcmp(text, yes[i]) == 0;
        if (is_yes || strcmp(text, no[i]) == 0) {
            *out = is_yes;
            return true;
        }
    }
    return false;
}

/* Nothing is changed on failure. */
static int set(const struct conf_item *item, void *target, const char *value,
               struct error *err)
{
    if (item->type == CONF_TEXT) {
        char **text = member(item, target);
        free(*text);
        *text = mem_strdup(value);
        return 0;
    }
    if (item->type == CONF_BOOL) {
        if (parse_bool(value, member(item, target)))
            return 0;
        return error_set_field(err, ERROR_INVALID, item->name,
                               "'%s' is not true or false: '%s'", item->name,
                               value);
    }
    uint64_t number = 0;
    if (!str_to_u64(value, 10, item->max, &number) || number < item->min)
        return error_set_field(err, ERROR_RANGE, item->name,
                               "'%s' is not a whole number from %" PRIu64
                               " to %" PRIu64 ": '%s'",
                               item->name, item->min, item->max, value);
    uint64_t *place = member(item, target);
    *place = number;
    return 0;
}

void conf_init(const struct conf_item *items, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].type == CONF_TEXT)
            *(char **)member(&items[i], target) = NULL;
        else if (items[i].type == CONF_BOOL)
            *(bool *)member(&items[i], target) = false;
        else
            *(uint64_t *)member(&items[i], target) = 0;
        if (items[i].preset)
            set(&items[i], target, items[i].preset, NULL);
    }
}

void conf_done(const struct conf_item *items, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != CONF_TEXT)
            continue;
        char **text = member(&items[i], target);
        free(*text);
        *text = NULL;
    }
}

/* ---- the file --------------------------------------------------------------- */

struct reading {
    const struct conf_item *items;
    size_t count;
    void *target;
    const char *path;
    FILE *file;
    int line; /* of the text last handed to inih */
    bool failed;
    bool *seen; /* per item */
    struct error *err;
};

static int refuse(struct reading *reading, const char *what, const char *name)
{
    reading->failed = true;
    return error_set_field(reading->err, ERROR_INVALID, name, "%s:%d: %s '%s'",
                           reading->path, reading->line, what, name);
}

/* inih goes on after a line that it can't read and tells of it at the end only;
 * the first error of a file is the one that people look for. */
static bool is_readable(const char *line)
{
    if (line[0] == '[')
        return strchr(line, ']') != NULL;
    return strchr("\r\n;#", line[0]) || strpbrk(line, "=:");
}

static const char unreadable[] =
    "%s:%d: neither '[section]', 'name = value' nor a comment";

/* inih's reader. It counts the lines, because the library of Debian does not
 * tell them, refuses lines longer than inih's buffer instead of having them cut
 * in two, and drops leading blanks, which inih would take for a continuation of
 * the line before. */
static char *read_line(char *text, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->failed || size < 2)
        return NULL;
    char line[LINE_MAX_BYTES + 2];
    size_t room = (size_t)size < sizeof line ? (size_t)size : sizeof line;
    if (!fgets(line, (int)room, reading->file))
        return NULL;
    reading->line++;
    size_t length = strlen(line);
    if (length == room - 1 && line[length - 1] != '\n') {
        reading->failed = true;
        error_fill(reading->err, ERROR_INVALID, 0, "",
                   "%s:%d: the line is longer than %zu bytes or holds a zero "
                   "byte",
                   reading->path, reading->line, room - 2);
        return NULL;
    }
    const char *start = line;
    while (isblank((unsigned char)*start))
        start++;
    if (!is_readable(start)) {
        reading->failed = true;
        error_fill(reading->err, ERROR_INVALID, 0, "", unreadable,
                   reading->path, reading->line);
        return NULL;
    }
    str_copy_bounded(text, (size_t)size, start);
    return text;
}

/* inih's handler: 1 = fine. */
static int take_setting(void *user, const char *section, const char *name,
                        const char *value)
{
    struct reading *reading = user;
    if (reading->failed)
        return 0;
    bool section_known = false;
    for (size_t i = 0; i < reading->count; i++) {
        const struct conf_item *item = &reading->items[i];
        if (!item->section || strcmp(item->section, section) != 0)
            continue;
        section_known = true;
        if (strcmp(item->name, name) != 0)
            continue;
        if (reading->seen[i]) {
            refuse(reading, "given twice:", name);
            return 0;
        }
        reading->seen[i] = true;
        if (set(item, reading->target, value, reading->err) == 0)
            return 1;
        reading->failed = true;
        error_prefix(reading->err, "%s:%d", reading->path, reading->line);
        return 0;
    }
    if (!section[0])
        refuse(reading, "before any [section]:", name);
    else if (section_known)
        refuse(reading, "unknown setting", name);
    else
        refuse(reading, "unknown section", section);
    return 0;
}

int conf_read_file(const struct conf_item *items, size_t count, void *target,
                   const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_sys(err, errno, "open the settings '%s'", path);
    auto_free bool *seen = mem_calloc(count, sizeof *seen);
    struct reading reading = {.items = items,
                              .count = count,
                              .target = target,
                              .path = path,
                              .file = file,
                              .seen = seen,
                              .err = err};
    int bad_line =
        ini_parse_stream(read_line, &reading, take_setting, &reading);
    int io = ferror(file) ? errno : 0;
    fclose(file);
    if (reading.failed)
        return -1;
    if (io)
        return error_set_sys(err, io, "read the settings '%s'", path);
    if (bad_line)
        return error_set(err, ERROR_INVALID, unreadable, path, bad_line);
    return 0;
}

/* ---- the command line --------------------------------------------------------- */

static const struct conf_item *find_option(const struct conf_item *items,
                                           size_t count, const char *name,
                                           size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(items[i].name) == length &&
            memcmp(items[i].name, name, length) == 0)
            return &items[i];
    }
    return NULL;
}

int conf_read_args(const struct conf_item *items, size_t count, void *target,
                   int argc, char **argv, struct error *err)
{
    int i = 1;
    for (; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0')
            break;
        if (strcmp(word, "--") == 0)
            return i + 1;
        size_t length = strcspn(word, "=");
        const struct conf_item *item = NULL;
        if (str_starts(word, "--"))
            item = find_option(items, count, word + 2, length - 2);
        if (!item)
            return error_set_field(err, ERROR_INVALID, word,
                                   "unknown option '%.*s'", (int)length, word);
        const char *value = NULL;
        if (word[length] == '=')
            value = word + length + 1;
        else if (item->type == CONF_BOOL)
            value = "true";
        else if (i + 1 < argc)
            value = argv[++i];
        else
            return error_set_field(
                err, ERROR_INVALID, item->name,
                "option '%s' needs a value: %s %s", word, word,
                item->value_name ? item->value_name : "VALUE");
        if (set(item, target, value, err))
            return -1;
    }
    return i;
}

void conf_print_help(const struct conf_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_str struct str left = {0};
        str_printf(&left, "--%s", items[i].name);
        if (items[i].type != CONF_BOOL)
            str_printf(&left, " %s",
                       items[i].value_name ? items[i].value_name : "VALUE");
        printf("  %-27s  %s", str_text(&left), items[i].help);
        if (items[i].preset && items[i].type != CONF_BOOL)
            printf(" (default %s)", items[i].preset);
        putchar('\n');
    }
}
