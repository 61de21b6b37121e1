/* SPDX-License-Identifier: Apache-2.0 */
/* Logging to stderr: see log.h. */
#include "common/base/log.h"

#include "common/base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MODULES_MAX 16

struct levels {
    enum log_level others; /* of modules that are not named */
    struct {
        char module[24];
        enum log_level level;
    } modules[MODULES_MAX];
    size_t module_count;
};

static struct {
    pthread_mutex_t lock; /* guards everything here */
    struct levels levels;
    void (*sink)(void *, const char *, enum log_level, const char *);
    void *sink_context;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .levels = {.others = LOG_INFO}};

static size_t find_module(const struct levels *levels, const char *module)
{
    size_t at = 0;
    while (at < levels->module_count &&
           strcmp(levels->modules[at].module, module) != 0)
        at++;
    return at;
}

static enum log_level level_of(const struct levels *levels, const char *module)
{
    size_t at = find_module(levels, module);
    return at < levels->module_count ? levels->modules[at].level
                                     : levels->others;
}

void log_write(const char *module, enum log_level level, const char *format,
               ...)
{
    pthread_mutex_lock(&state.lock);
    if (level <= level_of(&state.levels, module)) {
        char line[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(line, sizeof line, format, args);
        va_end(args);
        if (state.sink)
            state.sink(state.sink_context, module, level, line);
        else
            fprintf(stderr, "<%d>%s: %s\n", (int)level, module, line);
    }
    pthread_mutex_unlock(&state.lock);
}

void log_failure(const char *module, enum log_level level, const char *what,
                 const struct error *err)
{
    log_write(module, level, "%s: %s%s%s%s%s%s", what, err->msg,
              err->field[0] ? " field='" : "", err->field,
              err->field[0] ? "'" : "", err->remedy[0] ? "; " : "",
              err->remedy);
}

static bool level_parse(const char *text, enum log_level *out)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {{"error", LOG_ERROR},
                 {"warning", LOG_WARNING},
                 {"info", LOG_INFO},
                 {"debug", LOG_DEBUG}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, text) == 0) {
            *out = names[i].level;
            return true;
        }
    return false;
}

/* One item of a level text, "LEVEL" or "MODULE=LEVEL". */
static int set_level(struct levels *levels, char *item, struct error *err)
{
    char *equals = strchr(item, '=');
    enum log_level level = LOG_INFO;
    if (!level_parse(equals ? equals + 1 : item, &level))
        return error_set(err, ERROR_INVALID,
                         "'%s' is not a log level: use error, warning, info or "
                         "debug, or MODULE=LEVEL",
                         item);
    if (!equals) {
        levels->others = level;
        return 0;
    }
    *equals = '\0';
    size_t at = find_module(levels, item);
    if (at == MODULES_MAX || !str_copy(levels->modules[at].module, item))
        return error_set(err, ERROR_INVALID,
                         "no room for a log level of module '%s': at most %d "
                         "modules, names of at most %zu bytes",
                         item, MODULES_MAX, sizeof levels->modules->module - 1);
    levels->modules[at].level = level;
    levels->module_count += at == levels->module_count;
    return 0;
}

int log_configure(const char *levels, struct error *err)
{
    char copy[256];
    if (!str_copy(copy, levels))
        return error_set(err, ERROR_INVALID, "log level text is too long");
    pthread_mutex_lock(&state.lock);
    struct levels changed = state.levels;
    int result = 0;
    char *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item && !result;
         item = strtok_r(NULL, ",", &save))
        result = set_level(&changed, item, err);
    if (!result)
        state.levels = changed;
    pthread_mutex_unlock(&state.lock);
    return result;
}

void log_set_sink(void (*sink)(void *, const char *, enum log_level,
                               const char *),
                  void *context)
{
    pthread_mutex_lock(&state.lock);
    state.sink = sink;
    state.sink_context = context;
    pthread_mutex_unlock(&state.lock);
}
