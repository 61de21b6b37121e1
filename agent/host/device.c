/* SPDX-License-Identifier: Apache-2.0 */
/* From network devices to the PCI or netdevsim device below: see device.h. */
#include "agent/host/device.h"

#include "common/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool device_of_path(const char *path, struct device *out)
{
    struct device found = {0};
    bool any = false;
    while (*path) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        char part[PF_KEY_SIZE];
        struct pf_key key;
        if (length > 0 && length < sizeof part) {
            memcpy(part, path, length);
            part[length] = '\0';
            if (pf_key_parse(part, &key)) {
                /* The deepest wins: a VF or a card behind bridges. */
                found.key = key;
                found.is_pci = pf_key_pci(&key, &found.pci);
                any = true;
            }
        }
        path += length;
    }
    if (any)
        *out = found;
    return any;
}

bool device_of_netdev(const struct sysfs *sysfs, const char *netdev,
                      struct device *out)
{
    char target[SYSFS_TEXT_MAX];
    struct sysfs_path link = sysfs_path("sys/class/net/%s", netdev);
    return sysfs_read_link(sysfs, link.text, target, sizeof target, NULL) ==
               0 &&
           device_of_path(target, out);
}

struct sysfs_path device_folder(const struct pf_key *key)
{
    return sysfs_path("sys/bus/%s/devices/%s", pf_key_bus(key), key->text);
}

struct pf_key device_pf(const struct sysfs *sysfs, const struct device *device,
                        bool *is_vf)
{
    struct sysfs_path folder = device_folder(&device->key);
    struct sysfs_path link = sysfs_path("%s/physfn", folder.text);
    char name[PF_KEY_SIZE];
    struct pci_address pf;
    bool vf = device->is_pci &&
              sysfs_link_name(sysfs, link.text, name, sizeof name, NULL) == 0 &&
              pci_parse(name, &pf);
    if (is_vf)
        *is_vf = vf;
    return vf ? pf_key_of_pci(&pf) : device->key;
}

/* Representors of VFs sit beside the uplink below the same device; the kernel
 * names their ports "pf0vf1", "pf0sf2", "c1pf0vf1", the uplink "p0"
 * (devlink_port_phys_port_name). */
static bool is_representor(const struct sysfs *sysfs, const char *netdev)
{
    char port[32];
    struct sysfs_path path =
        sysfs_path("sys/class/net/%s/phys_port_name", netdev);
    if (sysfs_read(sysfs, path.text, port, sizeof port, NULL) < 0)
        return false; /* EOPNOTSUPP: the driver has no such names */
    return str_starts(port, "pf") ||
           (port[0] == 'c' && isdigit((unsigned char)port[1]));
}

static void pick_uplink(const struct sysfs *sysfs, const char *net_folder,
                        char netdev[NETDEV_NAME_SIZE])
{
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(sysfs, net_folder, &names, NULL) < 0)
        return;
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        if (!sysfs_is_netdev_name(name) || is_representor(sysfs, name))
            continue;
        int64_t port = 0;
        struct sysfs_path path = sysfs_path("sys/class/net/%s/dev_port", name);
        sysfs_read_number(sysfs, path.text, 0, INT32_MAX, &port, NULL);
        if (port < best) {
            best = port;
            snprintf(netdev, NETDEV_NAME_SIZE, "%s", name);
        }
    }
}

void device_netdev(const struct sysfs *sysfs, const char *folder,
                   char netdev[NETDEV_NAME_SIZE], char *virtio)
{
    netdev[0] = '\0';
    if (virtio)
        virtio[0] = '\0';
    struct sysfs_path net = sysfs_path("%s/net", folder);
    pick_uplink(sysfs, net.text, netdev);
    if (netdev[0])
        return;
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(sysfs, folder, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count && !netdev[0]; i++) {
        const char *name = names.names[i];
        if (!str_starts(name, "virtio") || !isdigit((unsigned char)name[6]) ||
            !sysfs_is_name(name) || strlen(name) >= NAME_SIZE)
            continue;
        if (virtio)
            snprintf(virtio, NAME_SIZE, "%s", name);
        net = sysfs_path("%s/%s/net", folder, name);
        pick_uplink(sysfs, net.text, netdev);
    }
}
