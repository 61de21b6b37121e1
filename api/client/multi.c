/* SPDX-License-Identifier: Apache-2.0 */
/* Many calls on one thread: client_multi of client.h.
 *
 * libcurl's socket interface over an epoll of our own, because curl_multi_poll()
 * and curl_multi_perform() look at every handle each time, which costs
 * sriov-fleet with its thousands of long-polls most of its time. Connections
 * live in the curl multi handle and are used again by later calls. */
#include "api/client/multi.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define EASY_KEPT 64
#define EVENTS_AT_ONCE 64

struct client_multi {
    struct transfer_config config;
    CURLM *curl;
    int epoll_fd, wake_fd;
    int64_t timer_at;        /* monotonic ns; -1 = none */
    struct transfer *flying; /* list */
    struct transfer *failed; /* could not begin; told at the next run */
    CURL *kept[EASY_KEPT];
    size_t kept_count;
    char own_address[INET6_ADDRSTRLEN];
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- libcurl's view of our loop --------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context,
                     void *socket_context)
{
    (void)easy;
    struct client_multi *multi = context;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(multi->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    /* Any pointer marks a socket that epoll already knows. */
    if (!socket_context) {
        epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        curl_multi_assign(multi->curl, fd, multi);
    } else {
        epoll_ctl(multi->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
    return 0;
}

static int on_timer(CURLM *curl, long timeout_ms, void *context)
{
    (void)curl;
    struct client_multi *multi = context;
    multi->timer_at =
        timeout_ms < 0 ? -1 : timestamp_monotonic() + timeout_ms * TIMESTAMP_MS;
    return 0;
}

/* ---- life --------------------------------------------------------------------------- */

struct client_multi *client_multi_new(const struct client_config *config,
                                      struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    struct client_multi *multi = mem_new(struct client_multi);
    multi->timer_at = -1;
    multi->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    multi->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    multi->curl = curl_multi_init();
    if (multi->epoll_fd < 0 || multi->wake_fd < 0 || !multi->curl) {
        error_fill_sys(err, errno, "set up HTTP calls");
        client_multi_free(multi);
        return NULL;
    }
    if (transfer_config_init(&multi->config, config, err)) {
        client_multi_free(multi);
        return NULL;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = multi->wake_fd};
    epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, multi->wake_fd, &event);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    return multi;
}

void client_multi_free(struct client_multi *multi)
{
    if (!multi)
        return;
    multi_drop(multi);
    while (multi->kept_count)
        curl_easy_cleanup(multi->kept[--multi->kept_count]);
    curl_multi_cleanup(multi->curl);
    if (multi->epoll_fd >= 0)
        close(multi->epoll_fd);
    if (multi->wake_fd >= 0)
        close(multi->wake_fd);
    transfer_config_done(&multi->config);
    free(multi);
}

/* ---- transfers ------------------------------------------------------------------------ */

static void forget(struct client_multi *multi, struct transfer *transfer)
{
    CURL *easy = transfer_free(transfer);
    if (easy && multi->kept_count < EASY_KEPT)
        multi->kept[multi->kept_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

static void list_add(struct transfer **list, struct transfer *transfer)
{
    transfer->next = *list;
    if (*list)
        (*list)->previous = transfer;
    *list = transfer;
}

static void land(struct client_multi *multi, struct transfer *transfer)
{
    curl_multi_remove_handle(multi->curl, transfer->easy);
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        multi->flying = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
}

void multi_drop(struct client_multi *multi)
{
    while (multi->flying) {
        struct transfer *transfer = multi->flying;
        land(multi, transfer);
        forget(multi, transfer);
    }
    while (multi->failed) {
        struct transfer *transfer = multi->failed;
        multi->failed = transfer->next;
        forget(multi, transfer);
    }
}

void multi_start(struct client_multi *multi,
                 const struct transfer_request *request, transfer_done *done,
                 void *context)
{
    CURL *easy =
        multi->kept_count ? multi->kept[--multi->kept_count] : curl_easy_init();
    struct transfer *transfer = transfer_new(&multi->config, request, easy);
    transfer->done = done;
    transfer->context = context;
    if (!transfer->easy) {
        list_add(&multi->failed, transfer);
        return;
    }
    list_add(&multi->flying, transfer);
    curl_multi_add_handle(multi->curl, transfer->easy);
}

void client_multi_start(struct client_multi *multi, const char *method,
                        const char *path, const char *token, char *body,
                        long timeout_ms,
                        void (*done)(void *context,
                                     const struct client_answer *answer,
                                     const struct error *err),
                        void *context)
{
    const struct transfer_request request = {.method = method,
                                             .path = path,
                                             .token = token,
                                             .body = body,
                                             .timeout_ms = timeout_ms};
    multi_start(multi, &request, done, context);
}

/* ---- the loop --------------------------------------------------------------------------- */

static void tell(struct client_multi *multi, struct transfer *transfer,
                 CURLcode code)
{
    struct client_answer answer;
    struct error err;
    int rc = transfer_result(transfer, code, &answer, &err);
    transfer->done(transfer->context, &answer, rc ? &err : NULL);
    client_answer_done(&answer);
    forget(multi, transfer);
}

/* A callback may start further calls: what fails to begin meanwhile waits for
 * the next run, so that a caller that retries at once can't hold us here. */
static void tell_failed(struct client_multi *multi)
{
    struct transfer *list = take_ptr(multi->failed);
    while (list) {
        struct transfer *transfer = list;
        list = transfer->next;
        tell(multi, transfer, CURLE_OK);
    }
}

static void remember_address(struct client_multi *multi, CURL *easy,
                             CURLcode code)
{
    char *address = NULL;
    if (code == CURLE_OK &&
        curl_easy_getinfo(easy, CURLINFO_LOCAL_IP, &address) == CURLE_OK &&
        address)
        str_copy(multi->own_address, address);
}

const char *client_multi_own_address(const struct client_multi *multi)
{
    return multi->own_address;
}

static void tell_finished(struct client_multi *multi)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(multi->curl, &left); message;
         message = curl_multi_info_read(multi->curl, &left)) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        remember_address(multi, message->easy_handle, code);
        land(multi, transfer);
        tell(multi, transfer, code);
    }
}

static void serve_sockets(struct client_multi *multi)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int running = 0;
    int count = epoll_wait(multi->epoll_fd, events, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == multi->wake_fd) {
            eventfd_t value = 0;
            eventfd_read(multi->wake_fd, &value);
            continue;
        }
        int what = 0;
        if (events[i].events & EPOLLIN)
            what |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            what |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            what |= CURL_CSELECT_ERR;
        curl_multi_socket_action(multi->curl, events[i].data.fd, what,
                                 &running);
    }
    if (multi->timer_at >= 0 && timestamp_monotonic() >= multi->timer_at) {
        multi->timer_at = -1;
        curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

static int wait_ms(const struct client_multi *multi, int timeout_ms)
{
    if (multi->failed)
        return 0;
    if (multi->timer_at < 0)
        return timeout_ms;
    int64_t left = multi->timer_at - timestamp_monotonic();
    int64_t ms = left <= 0 ? 0 : (left + TIMESTAMP_MS - 1) / TIMESTAMP_MS;
    return timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
}

bool client_multi_run(struct client_multi *multi, int fd, int timeout_ms)
{
    struct pollfd polled[2] = {{.fd = multi->epoll_fd, .events = POLLIN},
                               {.fd = fd, .events = POLLIN}};
    poll(polled, 2, wait_ms(multi, timeout_ms));
    serve_sockets(multi);
    tell_failed(multi);
    tell_finished(multi);
    return fd >= 0 && polled[1].revents != 0;
}

void client_multi_wakeup(struct client_multi *multi)
{
    int number = errno; /* we may be in a signal handler */
    eventfd_write(multi->wake_fd, 1);
    errno = number;
}
