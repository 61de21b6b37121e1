/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink requests with their errno: see nl.h. */
#include "agent/host/nl.h"

#include "common/base/mem.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_TIMEOUT_S 2
#define RECEIVE_BUFFER (1 << 20)

struct nl_port {
    struct nl_sock *socket;
    unsigned char *buffer;
    size_t size;
};

struct nl_port *nl_port_open(int protocol, struct error *err)
{
    struct nl_sock *socket = nl_socket_alloc();
    int result = socket ? nl_connect(socket, protocol) : -NLE_NOMEM;
    if (result < 0) {
        nl_socket_free(socket);
        error_fill(err, ERROR_IO, 0, "", "open a netlink socket: %s",
                   nl_geterror(result));
        return NULL;
    }
    int fd = nl_socket_get_fd(socket);
    int on = 1;
    /* Both only enrich or shorten refusals; old kernels lack them. */
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    /* An answer is one message, and libnl's 32 KiB are too small for that of a
     * PF with 400 VFs (78 KiB): it would be dropped with ENOBUFS. */
    int size = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    struct nl_port *port = mem_new(struct nl_port);
    port->socket = socket;
    return port;
}

void nl_port_close(struct nl_port *port)
{
    if (!port)
        return;
    nl_socket_free(port->socket);
    free(port->buffer);
    free(port);
}

struct nl_sock *nl_port_socket(struct nl_port *port)
{
    return port->socket;
}

/* The next datagram, whole, however large (a PF with 256 VFs: 50 KiB). Returns
 * its length, or -1 with errno. */
static ssize_t receive(struct nl_port *port)
{
    int fd = nl_socket_get_fd(port->socket);
    ssize_t length;
    do
        length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -1;
    if ((size_t)length > port->size) {
        port->size = (size_t)length;
        port->buffer = mem_realloc(port->buffer, port->size, 1);
    }
    do
        length = recv(fd, port->buffer, port->size, 0);
    while (length < 0 && errno == EINTR);
    return length;
}

/* What follows the header; NLMSG_DATA() would drop the const. */
static const char *payload_of(const struct nlmsghdr *header)
{
    return (const char *)header + NLMSG_HDRLEN;
}

/* The kernel's own words about a refusal, "" if it has none. */
static const char *kernel_reason(const struct nlmsghdr *header,
                                 const struct nlmsgerr *refusal)
{
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return "";
    /* After the error come the request's header and, unless capped, its
     * payload. */
    size_t skip = sizeof *refusal;
    size_t payload = header->nlmsg_len - NLMSG_HDRLEN;
    if (!(header->nlmsg_flags & NLM_F_CAPPED)) {
        if (refusal->msg.nlmsg_len < sizeof refusal->msg)
            return "";
        skip += refusal->msg.nlmsg_len - sizeof refusal->msg;
    }
    skip = NLMSG_ALIGN(skip);
    if (skip > payload)
        return "";
    const struct nlattr *attr = (const void *)(payload_of(header) + skip);
    attr = nla_find(attr, (int)(payload - skip), NLMSGERR_ATTR_MSG);
    if (!attr || nla_len(attr) < 1)
        return "";
    const char *text = nla_data(attr);
    return text[nla_len(attr) - 1] == '\0' ? text : "";
}

/* The kernel's errors are -1 to -4095 (MAX_ERRNO). */
static int errno_of(int told)
{
    return told < 0 && told >= -4095 ? -told : EBADMSG;
}

static int refusal(const struct nlmsghdr *header, const char *what,
                   struct error *err)
{
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return error_set_sys(err, EBADMSG, "%s", what);
    const struct nlmsgerr *body = (const void *)payload_of(header);
    if (body->error == 0)
        return 0;
    int number = errno_of(body->error);
    const char *reason = kernel_reason(header, body);
    if (*reason)
        return error_set_sys(err, number, "%s: the kernel says '%s'", what,
                             reason);
    return error_set_sys(err, number, "%s", what);
}

/* A dump may fail half-way: then its end carries a negative errno. */
static int end_of_dump(const struct nlmsghdr *header, const char *what,
                       struct error *err)
{
    int result = 0;
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof result))
        memcpy(&result, payload_of(header), sizeof result);
    return result < 0 ? error_set_sys(err, errno_of(result), "%s", what) : 0;
}

/* 1 = go on, 0 = done, -1 = refused. */
static int take_message(const struct nlmsghdr *header, nl_answer_fn *answer,
                        void *context, const char *what, struct error *err)
{
    switch (header->nlmsg_type) {
    case NLMSG_NOOP:
        return 1;
    case NLMSG_ERROR:
        return refusal(header, what, err);
    case NLMSG_DONE:
        return end_of_dump(header, what, err);
    default:
        if (answer)
            answer(context, header);
        return 1;
    }
}

int nl_take(const void *bytes, size_t length, uint32_t sequence,
            nl_answer_fn *answer, void *context, const char *what,
            struct error *err)
{
    const struct nlmsghdr *header = bytes;
    int left = (int)length;
    for (; nlmsg_ok(header, left);
         header = nlmsg_next((struct nlmsghdr *)(uintptr_t)header, &left)) {
        /* An answer to a request that timed out earlier. */
        if (header->nlmsg_seq != sequence)
            continue;
        int result = take_message(header, answer, context, what, err);
        if (result <= 0)
            return result;
    }
    return 1;
}

int nl_talk(struct nl_port *port, struct nl_msg *msg, nl_answer_fn *answer,
            void *context, const char *what, struct error *err)
{
    struct nlmsghdr *request = nlmsg_hdr(msg);
    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    nl_complete_msg(port->socket, msg);
    int fd = nl_socket_get_fd(port->socket);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel,
               sizeof kernel) < 0)
        return error_set_sys(err, errno, "%s", what);
    for (;;) {
        ssize_t length = receive(port);
        if (length < 0)
            return error_set_sys(err, errno == EAGAIN ? ETIMEDOUT : errno, "%s",
                                 what);
        int result = nl_take(port->buffer, (size_t)length, request->nlmsg_seq,
                             answer, context, what, err);
        if (result <= 0)
            return result;
    }
}
