/* SPDX-License-Identifier: Apache-2.0 */
/* One RARP broadcast by a packet socket: see announce.h. RARP (RFC 903, asking
 * for one's own address) and no gratuitous ARP, because the host does not know
 * the guest's IP addresses; nobody answers it, and switches learn from it all the
 * same. */
#include "agent/host/announce.h"

#include "common/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#define RARP_REQUEST 3 /* ARPOP_RREQUEST */

struct rarp {
    uint16_t hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation;
    uint8_t sender_mac[ETH_ALEN], sender_ip[4];
    uint8_t target_mac[ETH_ALEN], target_ip[4];
} __attribute__((packed));

static size_t put_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return 2;
}

size_t announce_frame(const struct mac *mac, uint16_t vlan,
                      unsigned char frame[ANNOUNCE_FRAME_SIZE])
{
    struct rarp rarp = {.hardware = htons(ARPHRD_ETHER),
                        .protocol = htons(ETH_P_IP),
                        .hardware_size = ETH_ALEN,
                        .protocol_size = 4,
                        .operation = htons(RARP_REQUEST)};
    size_t at = 2 * (size_t)ETH_ALEN;
    memset(frame, 0, ANNOUNCE_FRAME_SIZE);
    memset(frame, 0xff, ETH_ALEN);
    memcpy(frame + ETH_ALEN, mac->bytes, ETH_ALEN);
    if (vlan) {
        at += put_u16(frame + at, ETH_P_8021Q);
        at += put_u16(frame + at, vlan);
    }
    at += put_u16(frame + at, ETH_P_RARP);
    memcpy(rarp.sender_mac, mac->bytes, ETH_ALEN);
    memcpy(rarp.target_mac, mac->bytes, ETH_ALEN);
    memcpy(frame + at, &rarp, sizeof rarp);
    return vlan ? ETH_ZLEN + 4 : ETH_ZLEN;
}

int linux_announce(struct host_backend *backend, const char *netdev,
                   const struct mac *mac, uint16_t vlan, struct error *err)
{
    const struct linux_host *host = (const struct linux_host *)backend;
    unsigned char frame[ANNOUNCE_FRAME_SIZE];
    if (!host->route)
        return error_set(err, ERROR_PERMISSION,
                         "announcing a MAC " SCAN_NEEDS_KERNEL);
    if (vlan >= 4095)
        return error_set(err, ERROR_INVALID, "there is no VLAN %u", vlan);
    unsigned index = if_nametoindex(netdev);
    if (index == 0)
        return error_set_sys(err, errno, "announce over '%s'", netdev);
    /* Protocol 0: it receives nothing. */
    auto_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_sys(err, errno, "open a packet socket");
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_RARP),
                             .sll_ifindex = (int)index,
                             .sll_halen = ETH_ALEN};
    size_t length = announce_frame(mac, vlan, frame);
    memset(to.sll_addr, 0xff, ETH_ALEN);
    if (sendto(fd, frame, length, MSG_DONTWAIT, (struct sockaddr *)&to,
               sizeof to) != (ssize_t)length)
        return error_set_sys(err, errno, "announce over '%s'", netdev);
    return 0;
}
