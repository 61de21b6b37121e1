/* SPDX-License-Identifier: Apache-2.0 */
/* What brings a PF to a target, step by step: see pf_set.h. Runs on a thread of
 * its own and may take as long as the kernel does. Knows nothing of who asked
 * and why. */
#include "agent/host/bridge_modes.h"
#include "agent/host/device.h"
#include "agent/host/pf_set.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

/* As a thread sees the PF. */
struct place {
    const struct sysfs *sysfs;
    const struct pf_key *key;
    struct sysfs_path folder;
};

static struct sysfs_path file_of(const struct place *place, const char *name)
{
    return sysfs_path("%s/%s", place->folder.text, name);
}

/* Refusals whose errno says less than is known. */
static void advise(const struct place *place, const char *field,
                   struct error *err)
{
    error_prefix(err, "PF %s", place->key->text);
    snprintf(err->field, sizeof err->field, "%s", field);
    if (err->sys == ENOENT || err->sys == ENOSYS) {
        /* sriov_numvfs_store: no driver, or one without sriov_configure. */
        err->code = ERROR_UNSUPPORTED;
        error_remedy(err, "bind a driver that can (ethtool -i tells which it "
                          "is), or leave the setting out");
    } else if (err->sys == ENOMEM || err->sys == ENOSPC) {
        error_remedy(err, "the firmware left no room for so many VFs: enable "
                          "SR-IOV and 'above 4G decoding' in its setup, or "
                          "boot with pci=realloc, or ask for fewer");
    } else if (err->sys == EPERM) {
        error_remedy(err, "VMs use VFs of this PF: end them first, or run the "
                          "agent as root");
    } else if (err->code == ERROR_AGAIN) {
        error_remedy(err, "it is tried again by itself");
    } else if (err->code == ERROR_UNSUPPORTED) {
        error_remedy(err, "the driver can't: leave the setting out");
    } else {
        error_remedy(err, "see the kernel's log of this host (dmesg)");
    }
}

static int write_number(const struct place *place, const char *name,
                        unsigned number, const char *field, struct error *err)
{
    char text[16];
    struct error why = {0};
    snprintf(text, sizeof text, "%u", number);
    struct sysfs_path path = file_of(place, name);
    if (sysfs_write(place->sysfs, path.text, text, &why) == 0)
        return 0;
    advise(place, field, &why);
    if (err)
        *err = why;
    return -1;
}

static int read_number(const struct place *place, const char *name,
                       const char *field, int64_t max, int64_t *out,
                       struct error *err)
{
    struct error why = {0};
    struct sysfs_path path = file_of(place, name);
    if (sysfs_read_number(place->sysfs, path.text, 0, max, out, &why) == 0)
        return 0;
    advise(place, field, &why);
    if (err)
        *err = why;
    return -1;
}

static int differs(const char *field, const char *want, const char *got,
                   struct error *err)
{
    error_fill(err, ERROR_IO, 0, field,
               "%s %s was accepted, but the kernel reads %s", field, want, got);
    error_remedy(err, "see the kernel's log of this host (dmesg)");
    return -1;
}

/* ---- the parts ---------------------------------------------------------------- */

static int set_autoprobe(const struct place *place, enum autoprobe wanted,
                         struct error *err)
{
    static const char file[] = "sriov_drivers_autoprobe";
    unsigned number = wanted == AUTOPROBE_ON;
    int64_t is = 0;
    if (read_number(place, file, PF_TARGET_AUTOPROBE, 1, &is, err) < 0)
        return -1;
    if (is == number)
        return 0;
    if (write_number(place, file, number, PF_TARGET_AUTOPROBE, err) < 0 ||
        read_number(place, file, PF_TARGET_AUTOPROBE, 1, &is, err) < 0)
        return -1;
    return is == number ? 0
                        : differs(PF_TARGET_AUTOPROBE, autoprobe_name(wanted),
                                  is ? "on" : "off", err);
}

/* netdevsim tells its limit in debugfs only. */
static bool read_limit(const struct place *place, int64_t *total)
{
    struct sysfs_path path = file_of(place, "sriov_totalvfs");
    struct sysfs_path simulated =
        sysfs_path("sys/kernel/debug/netdevsim/%s/max_vfs", place->key->text);
    return sysfs_read_number(place->sysfs, path.text, 0, UINT16_MAX, total,
                             NULL) == 0 ||
           sysfs_read_number(place->sysfs, simulated.text, 0, UINT16_MAX, total,
                             NULL) == 0;
}

static int check_limit(const struct place *place, unsigned wanted,
                       struct error *err)
{
    int64_t total = 0;
    if (!read_limit(place, &total) || wanted <= total)
        return 0;
    error_fill(err, ERROR_RANGE, ERANGE, PF_TARGET_NUM_VFS,
               "PF %s: %u VFs are asked for, its firmware allows at most %u",
               place->key->text, wanted, (unsigned)total);
    error_remedy(err,
                 "ask for at most %u, or raise the limit with the "
                 "vendor's firmware tool",
                 (unsigned)total);
    return -1;
}

static int set_count(const struct place *place, unsigned wanted,
                     struct error *err)
{
    static const char file[] = "sriov_numvfs";
    int64_t is = 0;
    if (check_limit(place, wanted, err) < 0 ||
        read_number(place, file, PF_TARGET_NUM_VFS, UINT16_MAX, &is, err) < 0)
        return -1;
    if (is == wanted)
        return 0;
    if (is != 0 && write_number(place, file, 0, PF_TARGET_NUM_VFS, err) < 0)
        return -1;
    if (wanted != 0 &&
        write_number(place, file, wanted, PF_TARGET_NUM_VFS, err) < 0)
        return -1;
    if (read_number(place, file, PF_TARGET_NUM_VFS, UINT16_MAX, &is, err) < 0)
        return -1;
    if (is == wanted)
        return 0;
    char want[16], got[16];
    snprintf(want, sizeof want, "%u", wanted);
    snprintf(got, sizeof got, "%u", (unsigned)is);
    return differs(PF_TARGET_NUM_VFS, want, got, err);
}

static enum bridge_mode read_mode(struct nl_port *port, const char *netdev)
{
    struct bridge_modes modes = {0};
    return bridge_modes_find(&modes, port, NULL, netdev);
}

static int set_mode(struct nl_port *port, const char *netdev,
                    enum bridge_mode wanted, struct error *err)
{
    if (read_mode(port, netdev) == wanted)
        return 0;
    if (bridge_modes_write(port, netdev, wanted, err) < 0)
        return -1;
    enum bridge_mode is = read_mode(port, netdev);
    if (is == wanted)
        return 0;
    const char *told = bridge_mode_name(is);
    return differs(PF_TARGET_BRIDGE_MODE, bridge_mode_name(wanted),
                   told ? told : "nothing", err);
}

static int set_bridge_mode(const struct place *place, enum bridge_mode wanted,
                           struct error *err)
{
    char netdev[NETDEV_NAME_SIZE] = "";
    struct error why = {0};
    device_netdev(place->sysfs, place->folder.text, netdev, NULL);
    if (!netdev[0])
        error_fill_sys(&why, EOPNOTSUPP,
                       "there is no network device to set the bridge mode of");
    struct nl_port *port = netdev[0] ? nl_port_open(NETLINK_ROUTE, &why) : NULL;
    int result = port ? set_mode(port, netdev, wanted, &why) : -1;
    nl_port_close(port);
    if (result == 0)
        return 0;
    advise(place, PF_TARGET_BRIDGE_MODE, &why);
    if (err)
        *err = why;
    return -1;
}

int pf_set_now(const struct sysfs *sysfs, const struct pf_key *key,
               const struct pf_target *target, struct error *err)
{
    const struct place place = {
        .sysfs = sysfs, .key = key, .folder = device_folder(key)};
    if (!sysfs_exists(sysfs, place.folder.text))
        return error_set(err, ERROR_VANISHED, "there is no PF %s", key->text);
    if (target->autoprobe != AUTOPROBE_NONE &&
        set_autoprobe(&place, (enum autoprobe)target->autoprobe, err) < 0)
        return -1;
    if (target->has_num_vfs && set_count(&place, target->num_vfs, err) < 0)
        return -1;
    if (target->bridge_mode != BRIDGE_NONE &&
        set_bridge_mode(&place, (enum bridge_mode)target->bridge_mode, err) < 0)
        return -1;
    return 0;
}
