/* SPDX-License-Identifier: Apache-2.0 */
/* One question to the agent, within a deadline: see hook_frame.h. */
#include "common/base/mem.h"
#include "common/base/timestamp.h"
#include "plugins/hook/hook.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Time that the agent leaves us to tell its answer. */
#define MARGIN_MAX (250 * TIMESTAMP_MS)

static int too_late(struct error *err)
{
    return error_set(err, ERROR_TIMEOUT, "it did not answer in time");
}

static int await(int fd, short events, int64_t deadline, struct error *err)
{
    for (;;) {
        int64_t left = deadline - timestamp_monotonic();
        if (left <= 0)
            return too_late(err);
        struct pollfd wait = {.fd = fd, .events = events};
        int ready =
            poll(&wait, 1, (int)((left + TIMESTAMP_MS - 1) / TIMESTAMP_MS));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return error_set_sys(err, errno, "wait for it");
    }
}

static int open_socket(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_INVALID, "the path '%.80s...' is too long",
                         path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    auto_close int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_sys(err, errno, "make a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        error_fill_sys(err, errno, "connect to '%s'", path);
        if (err)
            err->code = ERROR_UNAVAILABLE;
        return -1;
    }
    return take_fd(fd);
}

static int send_all(int fd, const char *data, size_t length, int64_t deadline,
                    struct error *err)
{
    while (length) {
        ssize_t put = send(fd, data, length, MSG_NOSIGNAL);
        if (put >= 0) {
            data += put;
            length -= (size_t)put;
        } else if (errno == EAGAIN) {
            if (await(fd, POLLOUT, deadline, err) < 0)
                return -1;
        } else if (errno != EINTR) {
            return error_set_sys(err, errno, "send to it");
        }
    }
    return 0;
}

static int receive(int fd, int64_t deadline, struct hook_answer *answer,
                   struct error *err)
{
    char data[HOOK_ANSWER_MAX];
    size_t have = 0;
    for (;;) {
        long size = hook_frame_size(data, have, sizeof data, err);
        if (size < 0)
            return -1;
        if (size > 0 && have >= (size_t)size)
            return hook_answer_read(data, (size_t)size, answer, err);
        if (await(fd, POLLIN, deadline, err) < 0)
            return -1;
        ssize_t got = recv(fd, data + have, sizeof data - have, 0);
        if (got == 0)
            return error_set(err, ERROR_UNAVAILABLE,
                             "it ended without an answer");
        if (got > 0)
            have += (size_t)got;
        else if (errno != EAGAIN && errno != EINTR)
            return error_set_sys(err, errno, "receive from it");
    }
}

int hook_ask(const char *socket_path, const struct hook_question *question,
             int64_t deadline, struct hook_answer *answer, struct error *err)
{
    auto_close int fd = open_socket(socket_path, err);
    if (fd < 0)
        return -1;
    int64_t left = deadline - timestamp_monotonic();
    int64_t margin = left / 4 < MARGIN_MAX ? left / 4 : MARGIN_MAX;
    if (left - margin < TIMESTAMP_MS)
        return too_late(err);
    struct hook_question asked = *question;
    asked.deadline_ms = (uint32_t)((left - margin) / TIMESTAMP_MS);
    auto_str struct str text = {0};
    hook_question_write(&asked, &text);
    if (send_all(fd, text.text, text.length, deadline, err) < 0)
        return -1;
    return receive(fd, deadline, answer, err);
}
