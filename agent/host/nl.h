/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answers over a netlink socket. libnl makes sockets and
 * messages; sending and receiving is done here, because its error numbers lose
 * errno (EOPNOTSUPP, ERANGE ...), which is what policy errors are about. */
#pragma once

#include "common/base/error.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdint.h>

struct nl_port; /* a socket; one request at a time */

/* 'protocol' NETLINK_ROUTE or NETLINK_GENERIC. NULL on failure. */
struct nl_port *nl_port_open(int protocol, struct error *err);
void nl_port_close(struct nl_port *port);
/* The libnl socket, for genl_ctrl_resolve. */
struct nl_sock *nl_port_socket(struct nl_port *port);

/* Called for each answer that is no acknowledgement; may be NULL. */
typedef void nl_answer_fn(void *context, const struct nlmsghdr *answer);

/* Send 'msg' (not freed; NLM_F_REQUEST and NLM_F_ACK are added, NLM_F_DUMP is
 * the caller's) and wait for its end, at most about 2 s. On refusal err->sys is
 * the kernel's errno and the message ends with the kernel's own reason where it
 * tells one (extended acknowledgement). 'what' says what was tried. */
int nl_talk(struct nl_port *port, struct nl_msg *msg, nl_answer_fn *answer,
            void *context, const char *what, struct error *err);

/* Take one datagram of answers to the request 'sequence', aligned as malloc()
 * does. 1 = more datagrams follow, 0 = that was the end, -1 = refused. Apart for
 * tests. */
int nl_take(const void *bytes, size_t length, uint32_t sequence,
            nl_answer_fn *answer, void *context, const char *what,
            struct error *err);

static inline void nl_msg_free_p(struct nl_msg **msg)
{
    nlmsg_free(*msg);
}
#define auto_nl_msg __attribute__((cleanup(nl_msg_free_p)))
