/* SPDX-License-Identifier: Apache-2.0 */
/* Logging to stderr: see log.h. */
#include "common/base/log.h"

#include "common/base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MODULES_MAX 16

static struct {
    pthread_mutex_t lock; /* guards everything here */
    enum log_level level;
    struct {
        char module[24];
        enum log_level level;
    } modules[MODULES_MAX];
    size_t module_count;
    void (*sink)(void *, const char *, enum log_level, const char *);
    void *sink_context;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

static enum log_level level_of(const char *module)
{
    for (size_t i = 0; i < state.module_count; i++)
        if (strcmp(state.modules[i].module, module) == 0)
            return state.modules[i].level;
    return state.level;
}

void log_write(const char *module, enum log_level level, const char *format, ...)
{
    pthread_mutex_lock(&state.lock);
    if (level <= level_of(module)) {
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

int log_configure(const char *levels, struct error *err)
{
    char copy[256];
    if (!str_copy(copy, levels))
        return error_set(err, ERROR_INVALID, "log level text is too long");
    pthread_mutex_lock(&state.lock);
    int result = 0;
    char *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item && !result;
         item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        enum log_level level = LOG_INFO;
        if (!level_parse(equals ? equals + 1 : item, &level) ||
            (equals && state.module_count == MODULES_MAX)) {
            result = error_set(err, ERROR_INVALID,
                               "'%s' is not a log level: use error, warning, "
                               "info or debug, or MODULE=LEVEL",
                               item);
        } else if (equals) {
            *equals = '\0';
            size_t at = state.module_count++;
            str_copy(state.modules[at].module, item);
            state.modules[at].level = level;
        } else {
            state.level = level;
        }
    }
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
