/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of libvirt's hook: see hook.h. Each peer asks once. */
#define LOG_MODULE "hook"
#include "agent/hook.h"

#include "agent/hook_guard.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "common/domain/hook_frame.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTEN_RETRY_NS (5 * TIMESTAMP_SECOND)
#define BACKLOG 128
#define CHUNK 65536

struct peer {
    int fd;
    struct str received;
    int64_t deadline;
    bool asking; /* the question is whole; it waits for its verdict */
    bool first;  /* and was not asked yet */
    struct hook_question question; /* its XML is not kept */
    struct domain_facts facts;
};

struct hook_server {
    struct agent *agent;
    char *path;
    bool adopt;
    int epoll_fd, listen_fd;
    bool accepting; /* the listening socket is in the epoll set */
    bool failing;   /* logged already */
    int64_t retry_at;
    struct hook_guard guard;
    size_t peer_count;
    struct peer *peers[HOOK_PEERS_MAX];
};

/* ---- the listening socket ---------------------------------------------------------- */

/* Does somebody answer there? A socket file stays when its owner is killed. */
static bool is_alive(const struct sockaddr_un *address)
{
    auto_close int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && (connect(fd, (const struct sockaddr *)address,
                               sizeof *address) == 0 ||
                       errno == EAGAIN);
}

/* The socket is made under another name and moved in place: at no time can one
 * connect to a half-made one. */
static int bind_at(int fd, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockaddr_un final = {.sun_family = AF_UNIX};
    if (strlen(path) + sizeof ".new" > sizeof address.sun_path)
        return error_set(err, ERROR_INVALID, "the path '%.100s' is too long",
                         path);
    snprintf(final.sun_path, sizeof final.sun_path, "%s", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    if (is_alive(&final))
        return error_set(err, ERROR_IN_USE, "another agent has '%s'", path);
    unlink(address.sun_path);
    /* The mode of the socket is the one of the file that bind() makes. */
    if (fchmod(fd, 0600) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, BACKLOG) < 0 || rename(address.sun_path, path) < 0) {
        int problem = errno;
        unlink(address.sun_path);
        return error_set_sys(err, problem, "make '%s'", path);
    }
    return 0;
}

static int open_listener(const char *path, struct error *err)
{
    auto_free char *copy = mem_strdup(path);
    if (file_make_dirs(dirname(copy), 0700, err) < 0)
        return -1;
    auto_close int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_sys(err, errno, "make a socket");
    if (bind_at(fd, path, err) < 0)
        return -1;
    return take_fd(fd);
}

static void watch(struct hook_server *server, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        log_error("watch a socket: %s", error_errno_name(errno));
}

/* While all places are taken, the others wait in the socket's queue. */
static void watch_listener(struct hook_server *server)
{
    bool wanted = server->listen_fd >= 0 && server->peer_count < HOOK_PEERS_MAX;
    if (wanted == server->accepting)
        return;
    if (wanted)
        watch(server, server->listen_fd, NULL);
    else
        epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->listen_fd, NULL);
    server->accepting = wanted;
}

static void start_listening(struct hook_server *server, int64_t now)
{
    if (server->listen_fd >= 0 || now < server->retry_at)
        return;
    struct error err;
    server->retry_at = now + LISTEN_RETRY_NS;
    server->listen_fd = open_listener(server->path, &err);
    if (server->listen_fd < 0 && !server->failing)
        log_failure(LOG_MODULE, LOG_ERROR,
                    "libvirt's hook can't ask, so domains with VFs are not "
                    "started; it is tried again",
                    &err);
    if (server->listen_fd >= 0)
        log_info("libvirt's hook may ask at '%s'", server->path);
    server->failing = server->listen_fd < 0;
}

/* ---- peers ------------------------------------------------------------------------------ */

static struct peer *peer_at(const struct hook_server *server, size_t index)
{
    struct peer *peer = server->peers[index];
    assert(index < server->peer_count && peer);
    return peer;
}

static void drop(struct hook_server *server, size_t index)
{
    struct peer *peer = peer_at(server, index);
    close(peer->fd); /* leaves the epoll set with it */
    str_done(&peer->received);
    domain_facts_done(&peer->facts);
    free(peer);
    server->peers[index] = server->peers[--server->peer_count];
}

static void accept_peers(struct hook_server *server, int64_t now)
{
    while (server->peer_count < HOOK_PEERS_MAX) {
        auto_close int fd = accept4(server->listen_fd, NULL, NULL,
                                    SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct ucred who = {.uid = (uid_t)-1};
        socklen_t size = sizeof who;
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        if (who.uid != 0 && who.uid != geteuid()) {
            log_warning("user %u is not answered", (unsigned)who.uid);
            continue;
        }
        struct peer *peer = mem_new(struct peer);
        peer->fd = take_fd(fd);
        peer->deadline = now + HOOK_READ_NS;
        watch(server, peer->fd, peer);
        server->peers[server->peer_count++] = peer;
    }
}

/* The answer is short: a socket that can't take it at once is not worth waiting
 * for. */
static void answer(const struct peer *peer, enum hook_word word,
                   const char *reason)
{
    struct hook_answer told = {.word = (uint8_t)word};
    auto_str struct str text = {0};
    if (word != HOOK_WORD_GO_ON)
        str_copy(told.reason, reason);
    hook_answer_write(&told, &text);
    if (send(peer->fd, text.text, text.length, MSG_NOSIGNAL) !=
        (ssize_t)text.length)
        log_warning("the hook did not take its answer domain='%s'",
                    peer->question.domain);
    if (word == HOOK_WORD_GO_ON)
        log_debug("%s allowed domain='%s'", peer->question.operation,
                  peer->question.domain);
    else if (word == HOOK_WORD_UNKNOWN)
        log_warning("the hook's question can't be read: %s domain='%s'", reason,
                    peer->question.domain);
    else
        log_warning("%s refused: %s domain='%s'", peer->question.operation,
                    reason, peer->question.domain);
}

static enum hook_operation operation_of(const char *name)
{
    if (strcmp(name, "prepare") == 0 || strcmp(name, "start") == 0)
        return HOOK_PREPARE;
    if (strcmp(name, "release") == 0)
        return HOOK_RELEASE;
    return strcmp(name, "migrate") == 0 ? HOOK_MIGRATE : HOOK_OTHER;
}

/* True: it was answered, or will never be. */
static bool take_question(struct peer *peer, size_t size, int64_t now)
{
    struct error err;
    struct hook_question *question = &peer->question;
    if (hook_question_read(peer->received.text, size, question, &err) < 0) {
        answer(peer, HOOK_WORD_UNKNOWN, err.msg);
        return true;
    }
    bool decides = operation_of(question->operation) != HOOK_OTHER;
    if (decides && domain_read(question->xml, question->xml_length,
                               &peer->facts, &err) < 0) {
        char reason[400];
        snprintf(reason, sizeof reason, "the domain's XML can't be read: %s",
                 err.msg);
        answer(peer, HOOK_WORD_UNKNOWN, reason);
        return true;
    }
    question->xml = NULL;
    str_done(&peer->received);
    int64_t wait = (int64_t)question->deadline_ms * TIMESTAMP_MS;
    if (wait == 0 || wait > HOOK_DEADLINE_MAX_NS)
        wait = HOOK_DEADLINE_MAX_NS;
    peer->deadline = now + wait;
    peer->asking = peer->first = true;
    return false;
}

/* True: the peer is done with. */
static bool receive(struct peer *peer, int64_t now)
{
    char data[CHUNK];
    for (;;) {
        ssize_t got = recv(peer->fd, data, sizeof data, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return false;
        if (got <= 0 || peer->asking)
            return true; /* gone, or talks on after its question */
        str_add_bytes(&peer->received, data, (size_t)got);
        struct error err;
        long size = hook_frame_size(peer->received.text, peer->received.length,
                                    HOOK_QUESTION_MAX, &err);
        if (size < 0) {
            answer(peer, HOOK_WORD_UNKNOWN, err.msg);
            return true;
        }
        if (size == 0 || peer->received.length < (size_t)size)
            continue;
        if (take_question(peer, (size_t)size, now))
            return true;
    }
}

/* True: it was answered. */
static bool ask(struct hook_server *server, struct peer *peer, int64_t now)
{
    const struct hook_request request = {
        .operation = operation_of(peer->question.operation),
        .facts = &peer->facts,
        .guarded = hook_guard_list(&server->guard),
        .adopt = server->adopt,
    };
    char reason[HOOK_REASON_SIZE];
    enum hook_verdict verdict =
        agent_hook(server->agent, now, &request, peer->first, reason);
    peer->first = false;
    if (verdict == HOOK_WAIT && now < peer->deadline)
        return false;
    answer(peer, verdict == HOOK_ALLOW ? HOOK_WORD_GO_ON : HOOK_WORD_REFUSE,
           reason);
    return true;
}

/* ---- the step ------------------------------------------------------------------------------ */

static void take_events(struct hook_server *server, int64_t now)
{
    struct epoll_event events[HOOK_PEERS_MAX + 1];
    int count = epoll_wait(server->epoll_fd, events, HOOK_PEERS_MAX + 1, 0);
    bool knocks = false;
    for (int i = 0; i < count; i++) {
        size_t index = 0;
        knocks |= events[i].data.ptr == NULL;
        while (index < server->peer_count &&
               server->peers[index] != events[i].data.ptr)
            index++;
        if (index < server->peer_count && receive(peer_at(server, index), now))
            drop(server, index);
    }
    if (knocks)
        accept_peers(server, now);
}

int64_t hook_server_step(struct hook_server *server, int64_t now_ns)
{
    start_listening(server, now_ns);
    int64_t wake = server->listen_fd < 0 ? server->retry_at : INT64_MAX;
    take_events(server, now_ns);
    for (size_t i = server->peer_count; i-- > 0;) {
        struct peer *peer = peer_at(server, i);
        bool fresh = peer->asking && peer->first;
        bool ended =
            peer->asking ? ask(server, peer, now_ns) : now_ns >= peer->deadline;
        if (ended)
            drop(server, i);
        else if (fresh)
            wake = now_ns; /* the agent has something to do for it */
        else if (peer->deadline < wake)
            wake = peer->deadline;
    }
    watch_listener(server);
    return wake;
}

int64_t hook_server_guard(struct hook_server *server, int64_t now_ns)
{
    return hook_guard_step(&server->guard, server->agent, now_ns);
}

int hook_server_fd(const struct hook_server *server)
{
    return server->epoll_fd;
}

struct hook_server *hook_server_new(const struct hook_config *config)
{
    struct hook_server *server = mem_new(struct hook_server);
    server->agent = config->agent;
    server->path = mem_strdup(config->path);
    server->adopt = config->adopt;
    server->listen_fd = -1;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    hook_guard_open(&server->guard, config->guarded);
    return server;
}

void hook_server_free(struct hook_server *server)
{
    if (!server)
        return;
    while (server->peer_count)
        drop(server, server->peer_count - 1);
    if (server->listen_fd >= 0) {
        unlink(server->path);
        close(server->listen_fd);
    }
    if (server->epoll_fd >= 0)
        close(server->epoll_fd);
    hook_guard_done(&server->guard);
    free(server->path);
    free(server);
}
