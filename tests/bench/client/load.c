/* SPDX-License-Identifier: Apache-2.0 */
/* The load: many keep-alive connections over epoll, HTTP/1.1 by hand, so that
 * the client costs little beside what it measures. Called by main.c. */
#include "tests/bench/client/client.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#define ANSWER_MAX (1u << 20)

struct connection {
    int fd;
    struct bench_request *request; /* on its way; NULL = none */
    size_t sent;
    int64_t begun; /* when it was due */
    int64_t next;  /* when the next is due */
    char *buffer;
    size_t filled, capacity;
};

struct run {
    struct bench_load *load;
    struct connection *connections;
    int epoll;
    size_t next, under_way;
    FILE *answers;
};

int bench_connect(const struct sockaddr_in *address, struct error *err)
{
    int one = 1;
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return error_set_sys(err, errno, "connect to port %u",
                             ntohs(address->sin_port));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return take_fd(fd);
}

static int watch(struct run *run, struct connection *connection, int operation,
                 uint32_t events, struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(run->epoll, operation, connection->fd, &event) < 0)
        return error_set_sys(err, errno, "epoll_ctl");
    return 0;
}

static int open_connection(struct run *run, struct connection *connection,
                           struct error *err)
{
    connection->fd = bench_connect(&run->load->address, err);
    if (connection->fd < 0)
        return -1;
    connection->filled = 0;
    return watch(run, connection, EPOLL_CTL_ADD, EPOLLIN, err);
}

/* ---- one answer ------------------------------------------------------------------ */

/* The value of a header within the head, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line;
         line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 3 + length;
    return NULL;
}

/* The size of the whole answer that begins the buffer, 0 = not yet there;
 * *body is where its body begins. */
static size_t whole_answer(const struct connection *connection, size_t *body,
                           int *status)
{
    const char *end =
        connection->filled ? strstr(connection->buffer, "\r\n\r\n") : NULL;
    if (!end || sscanf(connection->buffer, "HTTP/1.1 %d", status) != 1)
        return 0;
    const char *length = find_header(connection->buffer, "Content-Length");
    *body = (size_t)(end - connection->buffer) + 4;
    size_t whole = *body + (length ? strtoul(length, NULL, 10) : 0);
    return connection->filled >= whole ? whole : 0;
}

static void take_answer(struct run *run, struct connection *connection,
                        size_t body, size_t whole, int status)
{
    struct bench_load *load = run->load;
    struct bench_request *request = connection->request;
    int64_t latency = timestamp_monotonic() - connection->begun;
    request->latency_ns = latency;
    request->status = status;
    load->statuses[status < 600 && status > 0 ? status : 0]++;
    mem_grow(&load->latencies, &load->latency_capacity, load->answered,
             sizeof *load->latencies);
    load->latencies[load->answered++] = latency;
    load->bytes_in += whole - body;
    if (run->answers) {
        fprintf(run->answers, "%zu %d ", (size_t)(request - load->requests),
                status);
        fwrite(connection->buffer + body, 1, whole - body, run->answers);
        if (whole == body || connection->buffer[whole - 1] != '\n')
            fputc('\n', run->answers);
    }
}

/* ---- the turns ---------------------------------------------------------------- */

static int send_more(struct run *run, struct connection *connection,
                     struct error *err)
{
    struct bench_request *request = connection->request;
    while (connection->sent < request->length) {
        ssize_t put = send(connection->fd, request->text + connection->sent,
                           request->length - connection->sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EAGAIN)
            return watch(run, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT,
                         err);
        if (put < 0)
            return 0; /* its end is seen by reading */
        connection->sent += (size_t)put;
        run->load->bytes_out += (size_t)put;
    }
    return watch(run, connection, EPOLL_CTL_MOD, EPOLLIN, err);
}

/* The next request of the list; false at its end. */
static bool pick(struct run *run, struct connection *connection, int64_t now)
{
    struct bench_load *load = run->load;
    if (load->until_ns ? now >= load->until_ns : run->next == load->count)
        return false;
    if (run->next == load->count)
        run->next = 0;
    connection->request = &load->requests[run->next++];
    connection->sent = 0;
    run->under_way++;
    return true;
}

/* Begin the next request if it is due. */
static int go_on(struct run *run, struct connection *connection,
                 struct error *err)
{
    int64_t now = timestamp_monotonic();
    if (connection->request || now < connection->next ||
        !pick(run, connection, now))
        return 0;
    connection->begun = run->load->period_ns ? connection->next : now;
    if (run->load->period_ns)
        connection->next += run->load->period_ns;
    return send_more(run, connection, err);
}

static int broke(struct run *run, struct connection *connection,
                 struct error *err)
{
    if (connection->request) {
        run->load->broken++;
        run->under_way--;
        connection->request = NULL;
    }
    close(connection->fd);
    if (open_connection(run, connection, err) < 0)
        return -1;
    return go_on(run, connection, err);
}

static int receive(struct run *run, struct connection *connection,
                   struct error *err)
{
    if (connection->capacity - connection->filled < 4096) {
        connection->capacity += 16384;
        connection->buffer =
            mem_realloc(connection->buffer, connection->capacity, 1);
    }
    ssize_t got =
        recv(connection->fd, connection->buffer + connection->filled,
             connection->capacity - connection->filled - 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0 || connection->filled > ANSWER_MAX)
        return broke(run, connection, err);
    connection->filled += (size_t)got;
    connection->buffer[connection->filled] = '\0';
    int status = 0;
    size_t body = 0, whole = whole_answer(connection, &body, &status);
    if (!whole)
        return 0;
    if (!connection->request)
        return error_set(err, ERROR_INTERNAL,
                         "an answer that nobody asked for");
    take_answer(run, connection, body, whole, status);
    connection->filled = 0;
    connection->request = NULL;
    run->under_way--;
    return go_on(run, connection, err);
}

/* How long epoll may wait until some connection's next request is due. */
static int wait_ms(const struct run *run)
{
    int64_t now = timestamp_monotonic();
    int64_t soonest = now + TIMESTAMP_SECOND;
    if (!run->load->period_ns)
        return 1000;
    for (size_t i = 0; i < run->load->connections; i++)
        if (!run->connections[i].request && run->connections[i].next < soonest)
            soonest = run->connections[i].next;
    return soonest <= now ? 0 : (int)((soonest - now) / TIMESTAMP_MS) + 1;
}

static bool is_over(const struct run *run)
{
    const struct bench_load *load = run->load;
    bool no_more = load->until_ns ? timestamp_monotonic() >= load->until_ns
                                  : run->next == load->count;
    return no_more && run->under_way == 0;
}

static int turn(struct run *run, struct error *err)
{
    struct epoll_event events[256];
    int count = epoll_wait(run->epoll, events, 256, wait_ms(run));
    if (count < 0 && errno != EINTR)
        return error_set_sys(err, errno, "epoll_wait");
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) && connection->request &&
            send_more(run, connection, err) < 0)
            return -1;
        if ((events[i].events & ~(uint32_t)EPOLLOUT) &&
            receive(run, connection, err) < 0)
            return -1;
    }
    for (size_t i = 0; run->load->period_ns && i < run->load->connections; i++)
        if (go_on(run, &run->connections[i], err) < 0)
            return -1;
    return 0;
}

static int begin(struct run *run, struct error *err)
{
    for (size_t i = 0; i < run->load->connections; i++)
        if (open_connection(run, &run->connections[i], err) < 0)
            return -1;
    int64_t now = timestamp_monotonic();
    for (size_t i = 0; i < run->load->connections; i++) {
        run->connections[i].next = now;
        if (go_on(run, &run->connections[i], err) < 0)
            return -1;
    }
    return 0;
}

int bench_load_run(struct bench_load *load, struct error *err)
{
    struct run run = {.load = load, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int64_t began = timestamp_monotonic();
    if (load->answers && !(run.answers = fopen(load->answers, "we")))
        return error_set_sys(err, errno, "open '%s'", load->answers);
    run.connections = mem_calloc(load->connections, sizeof *run.connections);
    for (size_t i = 0; i < load->connections; i++)
        run.connections[i].fd = -1;
    int result = begin(&run, err);
    while (result == 0 && !is_over(&run))
        result = turn(&run, err);
    load->took_ns = timestamp_monotonic() - began;
    for (size_t i = 0; i < load->connections; i++) {
        if (run.connections[i].fd >= 0)
            close(run.connections[i].fd);
        free(run.connections[i].buffer);
    }
    free(run.connections);
    close(run.epoll);
    if (run.answers && fclose(run.answers) != 0 && result == 0)
        result = error_set_sys(err, errno, "write '%s'", load->answers);
    return result;
}
