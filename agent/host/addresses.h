/* SPDX-License-Identifier: Apache-2.0 */
/* Which network devices of the host have an IP address.
 *
 * Live: one rtnetlink dump. Of a copied tree: /proc/net/if_inet6 and, since no
 * file tells IPv4 addresses by device, the networks that /proc/net/route says
 * are reached directly. */
#pragma once

#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "agent/host/sysfs.h"

#include <stdbool.h>
#include <stddef.h>

/* "address 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128" */
#define ADDRESS_TEXT_SIZE 56
struct address_item {
    int index;                    /* of the device; 0 = see 'netdev' */
    char netdev[16];              /* of a copied tree */
    char text[ADDRESS_TEXT_SIZE]; /* "address 10.0.0.1/24" */
    bool passing; /* came by itself and may go: link-local or temporary IPv6 */
};
struct addresses { /* zero-initialise */
    bool loaded;
    bool unknown; /* they could not be read: every device may have one */
    size_t count, capacity;
    struct address_item *items;
};
void addresses_done(struct addresses *addresses);

/* The device that has this address ("10.0.0.1", no prefix length). Only live:
 * of a copied tree, or where no device has it, false. */
bool addresses_device(struct addresses *addresses, const struct sysfs *sysfs,
                      struct nl_port *port, struct notes *notes,
                      const char *address, char netdev[16]);

/* The first address of a device in words, or NULL. 'lasting': leave out those
 * that every device gets when it is up. Where they can't be read: "an address,
 * perhaps". */
const char *addresses_find(struct addresses *addresses,
                           const struct sysfs *sysfs, struct nl_port *port,
                           struct notes *notes, const char *netdev,
                           bool lasting);
/* Take one message of the kernel's answer. Apart for tests. */
void addresses_take(struct addresses *addresses,
                    const struct nlmsghdr *message);
