/* SPDX-License-Identifier: Apache-2.0 */
/* Reading IP addresses: see addresses.h. */
#include "agent/host/addresses.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (8u << 20)
/* include/net/ipv6.h: the scope that if_inet6 shows of link-local addresses. */
#define IPV6_ADDR_LINKLOCAL 0x20u

void addresses_done(struct addresses *addresses)
{
    free(addresses->items);
    *addresses = (struct addresses){0};
}

static struct address_item *add(struct addresses *addresses)
{
    mem_grow(&addresses->items, &addresses->capacity, addresses->count,
             sizeof *addresses->items);
    struct address_item *item = &addresses->items[addresses->count++];
    *item = (struct address_item){0};
    return item;
}

static void set_text(struct address_item *item, const char *what, int family,
                     const void *address, unsigned prefix)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, address, text, sizeof text);
    snprintf(item->text, sizeof item->text, "%s %s/%u", what, text,
             prefix > 128 ? 128 : prefix);
}

/* ---- live ---------------------------------------------------------------- */

void addresses_take(struct addresses *addresses, const struct nlmsghdr *message)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *tb[IFA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(header, sizeof(struct ifaddrmsg), tb, IFA_MAX, NULL) < 0)
        return;
    const struct ifaddrmsg *told = nlmsg_data(header);
    bool v6 = told->ifa_family == AF_INET6;
    if (!v6 && told->ifa_family != AF_INET)
        return;
    struct nlattr *address = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
    struct address_item *item = add(addresses);
    item->index = (int)told->ifa_index;
    item->passing = v6 && (told->ifa_scope == RT_SCOPE_LINK ||
                           (told->ifa_flags & IFA_F_TEMPORARY) != 0);
    if (address && nla_len(address) >= (v6 ? 16 : 4))
        set_text(item, "address", told->ifa_family, nla_data(address),
                 told->ifa_prefixlen);
    else
        snprintf(item->text, sizeof item->text, "an address");
}

static void on_address(void *context, const struct nlmsghdr *answer)
{
    addresses_take(context, answer);
}

static int from_kernel(struct addresses *addresses, struct nl_port *port,
                       struct error *err)
{
    auto_nl_msg struct nl_msg *msg =
        nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
    if (!msg)
        abort();
    struct ifaddrmsg request = {.ifa_family = AF_UNSPEC};
    nlmsg_append(msg, &request, sizeof request, NLMSG_ALIGNTO);
    return nl_talk(port, msg, on_address, addresses, "read the addresses", err);
}

/* ---- a copied tree --------------------------------------------------------- */

#define FIELDS_MAX 12

/* 32 hex digits. */
static bool address6_parse(const char *hex, uint8_t out[16])
{
    uint64_t value = 0;
    if (strlen(hex) != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        char byte[3] = "";
        memcpy(byte, hex + 2 * i, 2);
        if (!str_to_u64(byte, 16, UINT8_MAX, &value))
            return false;
        out[i] = (uint8_t)value;
    }
    return true;
}

/* "fe80...0a 02 40 20 80     eth1": address, index, prefix, scope, flags. */
static void take_line6(struct addresses *addresses, char *line)
{
    char *fields[FIELDS_MAX];
    uint64_t prefix = 0;
    uint64_t scope = 0;
    uint64_t flags = 0;
    uint8_t bytes[16];
    if (sysfs_fields(line, fields, FIELDS_MAX) < 6 ||
        !str_to_u64(fields[2], 16, 128, &prefix) ||
        !str_to_u64(fields[3], 16, UINT8_MAX, &scope) ||
        !str_to_u64(fields[4], 16, UINT32_MAX, &flags))
        return;
    struct address_item *item = add(addresses);
    str_copy(item->netdev, fields[5]);
    item->passing =
        scope == IPV6_ADDR_LINKLOCAL || (flags & IFA_F_TEMPORARY) != 0;
    if (address6_parse(fields[0], bytes))
        set_text(item, "address", AF_INET6, bytes, (unsigned)prefix);
    else
        snprintf(item->text, sizeof item->text, "an address");
}

/* "eth0 0002A8C0 00000000 0001 0 0 100 00FFFFFF ...": device, destination,
 * gateway, flags, ..., mask; numbers in hex, as they lie in memory. */
static void take_line4(struct addresses *addresses, char *line)
{
    char *fields[FIELDS_MAX];
    uint64_t destination = 0;
    uint64_t flags = 0;
    uint64_t mask = 0;
    if (sysfs_fields(line, fields, FIELDS_MAX) < 8 ||
        !str_to_u64(fields[1], 16, UINT32_MAX, &destination) ||
        !str_to_u64(fields[3], 16, UINT32_MAX, &flags) ||
        !str_to_u64(fields[7], 16, UINT32_MAX, &mask) || !(flags & RTF_UP) ||
        (flags & (RTF_GATEWAY | RTF_REJECT)) || mask == 0)
        return;
    uint32_t network = (uint32_t)destination;
    struct address_item *item = add(addresses);
    str_copy(item->netdev, fields[0]);
    set_text(item, "network", AF_INET, &network,
             (unsigned)__builtin_popcountll(mask));
}

static int from_file(struct addresses *addresses, const struct sysfs *sysfs,
                     const char *path, void (*take)(struct addresses *, char *),
                     struct error *err)
{
    auto_free char *text = sysfs_read_all(sysfs, path, TEXT_MAX, err);
    if (!text)
        return err->sys == ENOENT ? 0 : -1;
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n")))
        take(addresses, line);
    return 0;
}

static void load(struct addresses *addresses, const struct sysfs *sysfs,
                 struct nl_port *port, struct notes *notes)
{
    struct error err = {0};
    addresses->loaded = true;
    int result =
        port ? from_kernel(addresses, port, &err)
             : from_file(addresses, sysfs, "proc/net/route", take_line4, &err);
    if (result == 0 && !port)
        result =
            from_file(addresses, sysfs, "proc/net/if_inet6", take_line6, &err);
    addresses->unknown = result < 0;
    if (result < 0)
        notes_error(notes, "IP addresses", &err);
}

const char *addresses_find(struct addresses *addresses,
                           const struct sysfs *sysfs, struct nl_port *port,
                           struct notes *notes, const char *netdev,
                           bool lasting)
{
    if (!addresses->loaded)
        load(addresses, sysfs, port, notes);
    if (addresses->unknown)
        return "an address, perhaps";
    int index = port ? (int)if_nametoindex(netdev) : 0;
    for (size_t i = 0; i < addresses->count; i++) {
        const struct address_item *item = &addresses->items[i];
        bool mine = port ? index > 0 && item->index == index
                         : strcmp(item->netdev, netdev) == 0;
        if (mine && !(lasting && item->passing))
            return item->text;
    }
    return NULL;
}

bool addresses_device(struct addresses *addresses, const struct sysfs *sysfs,
                      struct nl_port *port, struct notes *notes,
                      const char *address, char netdev[16])
{
    char wanted[ADDRESS_TEXT_SIZE];
    int length = snprintf(wanted, sizeof wanted, "address %s/", address);
    if (!addresses->loaded)
        load(addresses, sysfs, port, notes);
    for (size_t i = 0; port && i < addresses->count; i++) {
        const struct address_item *item = &addresses->items[i];
        char name[IF_NAMESIZE];
        if (strncmp(item->text, wanted, (size_t)length) != 0 ||
            !if_indextoname((unsigned)item->index, name))
            continue;
        memcpy(netdev, name, IF_NAMESIZE);
        return true;
    }
    return false;
}
