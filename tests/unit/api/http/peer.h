/* SPDX-License-Identifier: Apache-2.0 */
/* A peer on a raw socket, to say to a server what no client library would. */
#pragma once

#include "common/base/mem.h"
#include "common/base/str.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

#define REPLY_BODY_MAX (1u << 20)

struct reply {
    int status;      /* 0 = the connection ended without an answer */
    char head[4096]; /* status line and headers */
    char *body;      /* free by reply_done */
    size_t length;
};

static inline void reply_done(struct reply *reply)
{
    free(reply->body);
    *reply = (struct reply){0};
}

/* Connect to "127.0.0.1:PORT"; reads end after a minute, which only
 * something that never comes takes. */
static inline int peer_connect(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    struct timeval limit = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* False if the server has ended the connection. */
static inline bool peer_send_bytes(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

static inline bool peer_send(int fd, const char *text)
{
    return peer_send_bytes(fd, text, strlen(text));
}

/* The value of a header of the reply in 'out', or NULL. */
static inline const char *reply_header(const struct reply *reply,
                                       const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = strchr(reply->head, '\n'); line;
         line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        value += strspn(value, " ");
        size_t end = strcspn(value, "\r\n");
        snprintf(out, size, "%.*s", (int)end, value);
        return out;
    }
    return NULL;
}

static inline size_t read_head(int fd, struct reply *reply)
{
    size_t length = 0;
    while (length < sizeof reply->head - 1 &&
           recv(fd, reply->head + length, 1, 0) == 1) {
        reply->head[++length] = '\0';
        if (length >= 4 && strcmp(reply->head + length - 4, "\r\n\r\n") == 0)
            return length;
    }
    return 0;
}

/* Read one answer (not a chunked one). 'no_body' after HEAD. */
static inline struct reply peer_read(int fd, bool no_body)
{
    struct reply reply = {0};
    char value[64];
    if (!read_head(fd, &reply))
        return reply;
    reply.status = atoi(reply.head + strlen("HTTP/1.1 "));
    if (reply.status == 100)
        return reply;
    const char *length =
        reply_header(&reply, "Content-Length", value, sizeof value);
    size_t wanted = length && !no_body ? (size_t)atol(length) : 0;
    ck_assert_uint_le(wanted, REPLY_BODY_MAX);
    reply.body = mem_calloc(wanted + 1, 1);
    while (reply.length < wanted) {
        ssize_t got =
            recv(fd, reply.body + reply.length, wanted - reply.length, 0);
        ck_assert_msg(got > 0, "the answer's body ended early: %s",
                      strerror(errno));
        reply.length += (size_t)got;
    }
    return reply;
}

/* Has the server ended the connection, or does it within 'ms'? */
static inline bool peer_is_ended(int fd, int ms)
{
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}
