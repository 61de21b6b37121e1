/* SPDX-License-Identifier: Apache-2.0 */
/* A PF's network device: link, speed, the bond above it. */
#include "agent/host/pf_parts.h"

#include "common/base/str.h"

#include <string.h>

/* The first word of "802.3ad 4". */
static const char *bond_mode(const struct scan *scan, const char *bond)
{
    struct sysfs_path path = sysfs_path("sys/class/net/%s/bonding/mode", bond);
    char text[64];
    struct error err = {0};
    if (sysfs_read(scan->sysfs, path.text, text, sizeof text, &err) < 0) {
        notes_error(scan->notes, path.text, &err);
        return "";
    }
    text[strcspn(text, " ")] = '\0';
    return str_intern(text);
}

/* Does the bond send and receive over this member now? In active-backup only
 * over one; in 802.3ad over those of the active aggregator; otherwise over all
 * whose link is up. 'state' has the former two (bonding_slave/state since 3.15:
 * bond_sysfs_slave.c), mii_status the link as the bond sees it. */
static bool is_active(const struct scan *scan, const char *netdev)
{
    static const struct {
        const char *file, *wanted;
    } signs[] = {{"state", "active"}, {"mii_status", "up"}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        struct sysfs_path path = sysfs_path("sys/class/net/%s/bonding_slave/%s",
                                            netdev, signs[i].file);
        char text[32];
        struct error err = {0};
        if (sysfs_read(scan->sysfs, path.text, text, sizeof text, &err) < 0) {
            notes_error(scan->notes, path.text, &err);
            return false;
        }
        if (strcmp(text, signs[i].wanted) != 0)
            return false;
    }
    return true;
}

static int32_t read_speed(const struct scan *scan, const char *folder)
{
    int64_t speed = scan_may_number(scan, folder, "speed", -1, INT32_MAX, -1);
    return speed > 0 ? (int32_t)speed : -1;
}

static void read_bond(const struct scan *scan, struct pf *pf)
{
    struct sysfs_path path = sysfs_path("sys/class/net/%s/master", pf->netdev);
    char master[NETDEV_NAME_SIZE];
    if (sysfs_link_name(scan->sysfs, path.text, master, sizeof master, NULL) <
        0)
        return;
    path = sysfs_path("sys/class/net/%s/bonding", master);
    if (!sysfs_exists(scan->sysfs, path.text))
        return;
    memcpy(pf->bond, master, sizeof pf->bond);
    path = sysfs_path("sys/class/net/%s", master);
    pf->bond_mode = bond_mode(scan, master);
    pf->bond_speed_mbps = read_speed(scan, path.text);
    pf->bond_active = is_active(scan, pf->netdev);
}

void pf_read_netdev(const struct scan *scan, struct pf *pf)
{
    struct sysfs_path folder = sysfs_path("sys/class/net/%s", pf->netdev);
    struct sysfs_path path = sysfs_path("%s/address", folder.text);
    char text[64];
    struct error err = {0};
    if (sysfs_read(scan->sysfs, path.text, text, sizeof text, &err) < 0)
        notes_error(scan->notes, path.text, &err);
    else if (!mac_parse(text, &pf->mac))
        notes_say(scan->notes, path.text, "it is no Ethernet address");
    pf->mtu =
        (uint16_t)scan_must_number(scan, folder.text, "mtu", 0, UINT16_MAX, 0);
    /* Both answer EINVAL while the device is down: no carrier, no speed. */
    pf->link_up = scan_may_number(scan, folder.text, "carrier", 0, 1, 0) == 1;
    pf->link_speed_mbps = read_speed(scan, folder.text);
    read_bond(scan, pf);
}
