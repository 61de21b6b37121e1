/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket: see listen.h. We make it ourselves because
 * libmicrohttpd can't say why it could not. */
#include "api/http/listen.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define LOG_MODULE "http"
#define DESCRIPTORS_KEPT 256 /* for the store, logs and outgoing calls */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int refuse(const char *text, struct error *err)
{
    error_fill(err, ERROR_INVALID, 0, "listen",
               "can't listen on '%s': not an address and port", text);
    error_remedy(err, "give it as 127.0.0.1:8470 or [::1]:8470");
    return -1;
}

static int parse(const char *text, union address *out, struct error *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (!colon || !str_to_u64(colon + 1, 10, 65535, &port))
        return refuse(text, err);
    char host[INET6_ADDRSTRLEN + 2];
    size_t length = (size_t)(colon - text);
    if (length >= sizeof host)
        return refuse(text, err);
    memcpy(host, text, length);
    host[length] = '\0';
    *out = (union address){0};
    if (host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        if (inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1)
            return 0;
    } else {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1)
            return 0;
    }
    return refuse(text, err);
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
}

static void format(const union address *address, char out[64])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(out, 64, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(out, 64, "%s:%u", host, ntohs(address->v4.sin_port));
    }
}

int listen_open(const char *listen_on, bool insecure_listen, char address[64],
                struct error *err)
{
    union address where;
    if (parse(listen_on, &where, err))
        return -1;
    if (!is_loopback(&where) && !insecure_listen) {
        error_fill(err, ERROR_INVALID, 0, "listen",
                   "plain HTTP on '%s' would send tokens in the clear",
                   listen_on);
        error_remedy(err, "listen on loopback behind a TLS proxy, or allow it "
                          "with --insecure-listen");
        return -1;
    }
    socklen_t size =
        where.any.sa_family == AF_INET6 ? sizeof where.v6 : sizeof where.v4;
    auto_close int fd = socket(where.any.sa_family,
                               SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, &where.any, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, &where.any, &size) < 0) {
        int number = errno;
        error_fill_sys(err, number, "listen on '%s'", listen_on);
        if (number == EADDRINUSE)
            error_remedy(err, "another program listens there: stop it or take "
                              "another port");
        return -1;
    }
    format(&where, address);
    return take_fd(fd);
}

/* A connection is a descriptor. Raise the limit of the process where we may, or
 * take fewer connections: accepting beyond the limit would starve the store of
 * its files. */
unsigned listen_fit(unsigned wanted)
{
    struct rlimit limit;
    const rlim_t needed = (rlim_t)wanted + DESCRIPTORS_KEPT;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return wanted;
    rlim_t old = limit.rlim_cur;
    limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        limit.rlim_cur = old;
    if (limit.rlim_cur >= needed)
        return wanted;
    rlim_t left = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
                      ? limit.rlim_cur - DESCRIPTORS_KEPT
                      : limit.rlim_cur / 2;
    log_debug("%u connections instead of %u: at most %llu open files",
              (unsigned)left, wanted, (unsigned long long)limit.rlim_cur);
    return (unsigned)left;
}
