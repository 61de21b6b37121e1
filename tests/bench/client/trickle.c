/* SPDX-License-Identifier: Apache-2.0 */
/* Slow clients: each connection sends one byte of a request's head a second and
 * never comes to its end. Called by main.c. */
#include "tests/bench/client/client.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Its last header never ends. */
static const char endless[] = "GET /healthz HTTP/1.1\r\nHost: slow\r\nX-Slow: ";

static bool is_ended(int fd)
{
    char waste[512];
    ssize_t got = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
    return got == 0;
}

/* One byte on each; returns how many connections the server had ended. */
static size_t one_round(int *fds, size_t count, size_t round)
{
    size_t ended = 0;
    char byte = round < sizeof endless - 1 ? endless[round] : 'a';
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        if (send(fds[i], &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
            !is_ended(fds[i]))
            continue;
        close(fds[i]);
        fds[i] = -1;
        ended++;
    }
    return ended;
}

int bench_trickle(const struct sockaddr_in *address, size_t connections,
                  int64_t until_ns, struct error *err)
{
    auto_free int *fds = mem_calloc(connections, sizeof *fds);
    size_t ended = 0, opened = 0;
    int result = 0;
    const struct rlimit limit = {connections + 64, connections + 64};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (; opened < connections && result == 0; opened++) {
        fds[opened] = bench_connect(address, err);
        result = fds[opened] < 0 ? -1 : 0;
    }
    if (result == 0) {
        printf("{\"opened\": %zu}\n", opened);
        fflush(stdout);
    }
    for (size_t round = 0; result == 0 && timestamp_monotonic() < until_ns;
         round++) {
        ended += one_round(fds, connections, round);
        const struct timespec second = {.tv_sec = 1};
        nanosleep(&second, NULL);
    }
    for (size_t i = 0; i < opened; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (result == 0)
        printf("{\"opened\": %zu, \"ended_by_server\": %zu}\n", opened, ended);
    return result;
}
