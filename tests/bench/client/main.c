/* SPDX-License-Identifier: Apache-2.0 */
/* bench-client: sends requests from a file and tells, as JSON, how they were
 * answered. The same program drives the scheduler and the raw parts. */
#include "tests/bench/client/client.h"

#include "common/base/conf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FILE_MAX (UINT64_C(1) << 30)

struct settings {
    char *requests, *answers;
    uint64_t connections, period_us, trickle, seconds;
    bool help;
};

#define TEXT(name, member, value, help)                                        \
    {                                                                          \
        NULL, name, CONF_TEXT, offsetof(struct settings, member), 0, 0, NULL,  \
            value, help                                                        \
    }
#define NUMBER(name, member, max, preset, value, help)                         \
    {                                                                          \
        NULL, name, CONF_U64, offsetof(struct settings, member), 0, max,       \
            preset, value, help                                                \
    }

static const struct conf_item items[] = {
    TEXT("requests", requests, "FILE",
         "lines METHOD PATH TOKEN BODY; '-' = no token, BODY may be missing"),
    TEXT("answers", answers, "FILE", "write INDEX STATUS BODY lines there"),
    NUMBER("connections", connections, 100000, "64", "N",
           "how many requests are on their way at once"),
    NUMBER("period-us", period_us, 1000000000, "0", "N",
           "each connection begins one request so often; 0 = at once"),
    NUMBER("seconds", seconds, 3600, "0", "S",
           "repeat the list so long; 0 = each request once"),
    NUMBER("trickle", trickle, 100000, "0", "N",
           "instead: N connections that send one byte a second"),
    {NULL, "help", CONF_BOOL, offsetof(struct settings, help), 0, 0, NULL, NULL,
     "this text"},
};
#define ITEMS items, sizeof items / sizeof *items

/* One line into the text of a request. */
static int read_line(char *line, const char *host, struct bench_request *out,
                     struct error *err)
{
    char *rest = line;
    const char *method = strsep(&rest, " ");
    const char *path = strsep(&rest, " ");
    const char *token = strsep(&rest, " ");
    const char *body = rest ? rest : "";
    struct str text = {0};
    if (!method || !path || !token)
        return error_set(err, ERROR_INVALID, "no request: '%.60s'", line);
    str_printf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host);
    if (strcmp(token, "-") != 0)
        str_printf(&text, "Authorization: Bearer %s\r\n", token);
    if (*body)
        str_printf(&text,
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                   strlen(body));
    str_printf(&text, "\r\n%s", body);
    out->length = text.length;
    out->text = str_take(&text);
    return 0;
}

static int read_requests(const char *path, const char *host,
                         struct bench_load *load, struct error *err)
{
    size_t length = 0, capacity = 0;
    auto_free char *text = file_read(AT_FDCWD, path, FILE_MAX, &length, err);
    if (!text)
        return -1;
    for (char *rest = text, *line = NULL; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        mem_grow(&load->requests, &capacity, load->count,
                 sizeof *load->requests);
        struct bench_request *request = &load->requests[load->count];
        *request = (struct bench_request){0};
        if (read_line(line, host, request, err) < 0)
            return -1;
        load->count++;
    }
    if (!load->count)
        return error_set(err, ERROR_INVALID, "'%s' holds no request", path);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(const struct bench_load *load, double part)
{
    if (!load->answered)
        return 0;
    size_t at = (size_t)(part * (double)(load->answered - 1) + 0.5);
    return (double)load->latencies[at] / 1e3;
}

static void print_result(struct bench_load *load)
{
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    qsort(load->latencies, load->answered, sizeof *load->latencies, by_size);
    printf("{\"answered\": %zu, \"broken\": %zu, \"seconds\": %.6f, "
           "\"bytes_in\": %llu, \"bytes_out\": %llu, \"statuses\": {",
           load->answered, load->broken, (double)load->took_ns / 1e9,
           (unsigned long long)load->bytes_in,
           (unsigned long long)load->bytes_out);
    const char *comma = "";
    for (int i = 0; i < 600; i++)
        if (load->statuses[i]) {
            printf("%s\"%d\": %llu", comma, i,
                   (unsigned long long)load->statuses[i]);
            comma = ", ";
        }
    printf("}, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
           "\"max_us\": %.1f, \"client_cpu_s\": %.3f}\n",
           quantile_us(load, 0.5), quantile_us(load, 0.9),
           quantile_us(load, 0.99), quantile_us(load, 1),
           (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
               (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6);
}

static int run_load(const struct settings *settings, const char *host,
                    struct bench_load *load, struct error *err)
{
    if (!settings->requests)
        return error_set(err, ERROR_INVALID, "--requests is needed");
    if (read_requests(settings->requests, host, load, err) < 0)
        return -1;
    load->connections = (size_t)settings->connections;
    load->period_ns = (int64_t)settings->period_us * 1000;
    load->answers = settings->answers;
    if (settings->seconds)
        load->until_ns = timestamp_monotonic() +
                         (int64_t)settings->seconds * TIMESTAMP_SECOND;
    if (bench_load_run(load, err) < 0)
        return -1;
    print_result(load);
    return 0;
}

static int run(const struct settings *settings, const char *host,
               struct error *err)
{
    struct bench_load load = {.address.sin_family = AF_INET};
    char ip[64] = "";
    const char *colon = strrchr(host, ':');
    uint64_t port = 0;
    if (!colon || (size_t)(colon - host) >= sizeof ip ||
        !str_to_u64(colon + 1, 10, 65535, &port))
        return error_set(err, ERROR_INVALID, "'%s' is no IPV4:PORT", host);
    memcpy(ip, host, (size_t)(colon - host));
    load.address.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, ip, &load.address.sin_addr) != 1)
        return error_set(err, ERROR_INVALID, "'%s' is no IPv4 address", ip);
    if (settings->trickle)
        return bench_trickle(&load.address, (size_t)settings->trickle,
                             timestamp_monotonic() +
                                 (int64_t)settings->seconds * TIMESTAMP_SECOND,
                             err);
    int result = run_load(settings, host, &load, err);
    for (size_t i = 0; i < load.count; i++)
        free(load.requests[i].text);
    free(load.requests);
    free(load.latencies);
    return result;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = {0};
    conf_init(ITEMS, &settings);
    int next = conf_read_args(ITEMS, &settings, argc, argv, &err);
    int status = next < 0 ? -1 : 0;
    if (status == 0 && settings.help) {
        puts("usage: bench-client [OPTION...] IPV4:PORT\n");
        conf_print_help(ITEMS);
    } else if (status == 0 && next != argc - 1) {
        status = error_set(&err, ERROR_INVALID, "IPV4:PORT is needed");
    } else if (status == 0) {
        status = run(&settings, argv[next], &err);
    }
    conf_done(ITEMS, &settings);
    if (status < 0)
        fprintf(stderr, "bench-client: %s\n", err.msg);
    return status < 0 ? 1 : 0;
}
