/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of metrics.h. Families and series are only ever appended, under
 * one lock that rendering takes too; counting touches atomics of one series and
 * nothing else. */
#include "common/base/metrics.h"

#include "common/base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct metric {
    struct metric *next;
    struct metrics_family *family;
    char *labels;                /* rendered: name="value",... */
    atomic_uint_least64_t value; /* counter; gauge and sum: bits of a double */
    atomic_uint_least64_t
        counts[]; /* histogram: per bucket, the last is +Inf */
};

struct metrics_family {
    struct metrics_family *next;
    char *name, *help;
    enum metrics_type type;
    size_t label_count;
    char *labels[METRICS_LABELS_MAX];
    size_t bound_count;
    double bounds[METRICS_BUCKETS_MAX];
    struct metric *first, **end;
};

static struct {
    pthread_mutex_t lock; /* guards the lists of families and series */
    struct metrics_family *first, **end;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

const double metrics_seconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                  0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                  1,      2.5,     5,      10};
const size_t metrics_seconds_count =
    sizeof metrics_seconds / sizeof *metrics_seconds;

static const char *const type_names[] = {
    [METRICS_COUNTER] = "counter",
    [METRICS_GAUGE] = "gauge",
    [METRICS_HISTOGRAM] = "histogram",
};

/* ---- registering -------------------------------------------------------------- */

static void __attribute__((noreturn))
mistake(const char *name, const char *what)
{
    fprintf(stderr, "metrics: '%s': %s\n", name, what);
    abort();
}

static bool is_word(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return text[0] && !(text[0] >= '0' && text[0] <= '9') &&
           text[strspn(text, letters)] == '\0';
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static void check_family(const struct metrics_family *family)
{
    const char *name = family->name;
    if (!is_word(name))
        mistake(name, "not a metric name");
    if (!family->help[0])
        mistake(name, "no help text");
    if (ends_in(name, "_total") != (family->type == METRICS_COUNTER))
        mistake(name, "counters end in _total, nothing else does");
    if (ends_in(name, "_count") || ends_in(name, "_sum") ||
        ends_in(name, "_bucket"))
        mistake(name, "_count, _sum and _bucket belong to histograms' samples");
    for (size_t i = 0; i < family->label_count; i++) {
        const char *label = family->labels[i];
        if (!is_word(label) || str_starts(label, "__") ||
            strcmp(label, "le") == 0)
            mistake(name, "not a label name");
    }
    for (size_t i = 1; i < family->bound_count; i++) {
        if (!(family->bounds[i - 1] < family->bounds[i]))
            mistake(name, "the bounds do not rise");
    }
}

static void split_labels(struct metrics_family *family, const char *labels)
{
    auto_free char *text = mem_strdup(labels);
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        if (family->label_count == METRICS_LABELS_MAX)
            mistake(family->name, "too many labels");
        family->labels[family->label_count++] = mem_strdup(word);
    }
}

static void family_free(struct metrics_family *family)
{
    for (size_t i = 0; i < family->label_count; i++)
        free(family->labels[i]);
    free(family->name);
    free(family->help);
    free(family);
}

static uint64_t bits_of(double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool is_same(const struct metrics_family *a,
                    const struct metrics_family *b)
{
    if (a->type != b->type || a->label_count != b->label_count ||
        a->bound_count != b->bound_count)
        return false;
    for (size_t i = 0; i < a->bound_count; i++) {
        if (bits_of(a->bounds[i]) != bits_of(b->bounds[i]))
            return false;
    }
    for (size_t i = 0; i < a->label_count; i++) {
        if (strcmp(a->labels[i], b->labels[i]) != 0)
            return false;
    }
    return true;
}

/* Takes 'family' and gives back it, or the one that was there. */
static struct metrics_family *enter(struct metrics_family *family)
{
    check_family(family);
    pthread_mutex_lock(&registry.lock);
    struct metrics_family *old = registry.first;
    while (old && strcmp(old->name, family->name) != 0)
        old = old->next;
    if (old) {
        if (!is_same(old, family))
            mistake(family->name, "registered before with other properties");
        family_free(family);
        family = old;
    } else {
        family->end = &family->first;
        if (!registry.end)
            registry.end = &registry.first;
        *registry.end = family;
        registry.end = &family->next;
    }
    pthread_mutex_unlock(&registry.lock);
    return family;
}

static struct metrics_family *family_new(enum metrics_type type,
                                         const char *name, const char *labels,
                                         const char *help)
{
    struct metrics_family *family = mem_new(struct metrics_family);
    family->type = type;
    family->name = mem_strdup(name);
    family->help = mem_strdup(help);
    split_labels(family, labels);
    return family;
}

struct metrics_family *metrics_counter(const char *name, const char *labels,
                                       const char *help)
{
    return enter(family_new(METRICS_COUNTER, name, labels, help));
}

struct metrics_family *metrics_gauge(const char *name, const char *labels,
                                     const char *help)
{
    return enter(family_new(METRICS_GAUGE, name, labels, help));
}

struct metrics_family *metrics_histogram(const char *name, const char *labels,
                                         const char *help, const double *bounds,
                                         size_t bound_count)
{
    struct metrics_family *family =
        family_new(METRICS_HISTOGRAM, name, labels, help);
    if (bound_count > METRICS_BUCKETS_MAX)
        mistake(name, "too many buckets");
    family->bound_count = bound_count;
    for (size_t i = 0; i < bound_count; i++)
        family->bounds[i] = bounds[i];
    return enter(family);
}

/* ---- series ---------------------------------------------------------------------- */

static void add_escaped(struct str *out, const char *text, bool quote)
{
    for (; *text; text++) {
        if (*text == '\n')
            str_add(out, "\\n");
        else if (*text == '\\' || (quote && *text == '"'))
            str_printf(out, "\\%c", *text);
        else
            str_add_bytes(out, text, 1);
    }
}

static void add_label(struct str *out, const char *name, const char *value)
{
    str_printf(out, "%s%s=\"", out->length ? "," : "", name);
    add_escaped(out, value, true);
    str_add(out, "\"");
}

struct metric *metrics_series(struct metrics_family *family,
                              const char *const *values)
{
    auto_str struct str labels = {0};
    for (size_t i = 0; i < family->label_count; i++)
        add_label(&labels, family->labels[i], values[i]);
    pthread_mutex_lock(&registry.lock);
    struct metric *metric = family->first;
    while (metric && strcmp(metric->labels, str_text(&labels)) != 0)
        metric = metric->next;
    if (!metric) {
        size_t counts =
            family->type == METRICS_HISTOGRAM ? family->bound_count + 1 : 0;
        metric = mem_calloc(1, sizeof *metric +
                                   counts * sizeof(atomic_uint_least64_t));
        metric->family = family;
        metric->labels = str_take(&labels);
        *family->end = metric;
        family->end = &metric->next;
    }
    pthread_mutex_unlock(&registry.lock);
    return metric;
}

static double double_of(uint64_t bits)
{
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void metric_add(struct metric *metric, uint64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
    atomic_store_explicit(&metric->value, bits_of(value), memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    const struct metrics_family *family = metric->family;
    size_t bucket = 0;
    while (bucket < family->bound_count && value > family->bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metric->counts[bucket], 1, memory_order_relaxed);
    uint_least64_t old =
        atomic_load_explicit(&metric->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &metric->value, &old, bits_of(double_of(old) + value),
        memory_order_relaxed, memory_order_relaxed))
        ;
}

/* ---- rendering --------------------------------------------------------------------- */

/* The shortest of the two forms that reads back as the same number. */
static void add_number(struct str *out, double value)
{
    if (isnan(value) || isinf(value)) {
        str_add(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    if (bits_of(strtod(text, NULL)) != bits_of(value))
        snprintf(text, sizeof text, "%.17g", value);
    str_add(out, text);
}

static void add_name(struct str *out, const char *name, const char *suffix,
                     const char *labels)
{
    str_printf(out, "%s%s", name, suffix);
    if (labels[0])
        str_printf(out, "{%s}", labels);
    str_add(out, " ");
}

static void render_histogram(struct str *out, struct metric *metric)
{
    const struct metrics_family *family = metric->family;
    const char *comma = metric->labels[0] ? "," : "";
    uint64_t sum = 0;
    for (size_t i = 0; i <= family->bound_count; i++) {
        sum += atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
        str_printf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels,
                   comma);
        add_number(out, i < family->bound_count ? family->bounds[i] : INFINITY);
        str_printf(out, "\"} %" PRIu64 "\n", sum);
    }
    add_name(out, family->name, "_sum", metric->labels);
    add_number(out, double_of(atomic_load_explicit(&metric->value,
                                                   memory_order_relaxed)));
    str_add(out, "\n");
    /* The buckets' own sum, so that _count equals the +Inf bucket even while
     * others count. */
    add_name(out, family->name, "_count", metric->labels);
    str_printf(out, "%" PRIu64 "\n", sum);
}

static void render_series(struct str *out, struct metric *metric)
{
    const struct metrics_family *family = metric->family;
    if (family->type == METRICS_HISTOGRAM) {
        render_histogram(out, metric);
        return;
    }
    uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
    add_name(out, family->name, "", metric->labels);
    if (family->type == METRICS_COUNTER)
        str_printf(out, "%" PRIu64, value);
    else
        add_number(out, double_of(value));
    str_add(out, "\n");
}

void metrics_render(struct str *out)
{
    pthread_mutex_lock(&registry.lock);
    for (const struct metrics_family *family = registry.first; family;
         family = family->next) {
        if (!family->first)
            continue;
        metrics_head(out, family->name, family->type, family->help);
        for (struct metric *metric = family->first; metric;
             metric = metric->next)
            render_series(out, metric);
    }
    pthread_mutex_unlock(&registry.lock);
}

void metrics_head(struct str *out, const char *name, enum metrics_type type,
                  const char *help)
{
    str_printf(out, "# HELP %s ", name);
    add_escaped(out, help, false);
    str_printf(out, "\n# TYPE %s %s\n", name, type_names[type]);
}

void metrics_sample(struct str *out, const char *name,
                    const char *const *labels, double value)
{
    auto_str struct str text = {0};
    for (size_t i = 0; labels && labels[i] && labels[i + 1]; i += 2)
        add_label(&text, labels[i], labels[i + 1]);
    add_name(out, name, "", str_text(&text));
    add_number(out, value);
    str_add(out, "\n");
}
