/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a VF's use: see evidence.h. */
#include "agent/host/evidence.h"

#include "agent/host/device.h"
#include "agent/host/link.h"
#include "agent/host/vf.h"
#include "agent/host/vf_use.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 512 CPUs and 4096 interrupts. */
#define INTERRUPTS_MAX (32 << 20)

/* A name that VFIO gave an interrupt of this device. */
static bool is_vfio_name(const char *name, const char *address)
{
    size_t length = strlen(name), tail = strlen(address) + 2;
    return str_starts(name, "vfio-") && length > tail &&
           name[length - tail] == '(' && name[length - 1] == ')' &&
           strncmp(name + length - tail + 1, address, tail - 2) == 0;
}

/* ---- by the interrupts' own folders ------------------------------------------- */

/* "0,17,0": one number a CPU. */
static uint64_t sum(char *list)
{
    uint64_t all = 0, number = 0;
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one;
         one = strtok_r(NULL, ",", &rest))
        if (str_to_u64(one, 10, UINT64_MAX, &number))
            all += number;
    return all;
}

/* An interrupt may vanish at any time: then it does not count. */
static void take_interrupt(const struct sysfs *sysfs, const char *number,
                           const char *address, struct vfio_interrupts *out)
{
    char text[SYSFS_TEXT_MAX];
    struct sysfs_path path = sysfs_path("sys/kernel/irq/%s/actions", number);
    if (sysfs_read(sysfs, path.text, text, sizeof text, NULL) < 0 ||
        !is_vfio_name(text, address))
        return;
    path = sysfs_path("sys/kernel/irq/%s/per_cpu_count", number);
    if (sysfs_read(sysfs, path.text, text, sizeof text, NULL) < 0)
        return;
    out->lines++;
    out->count += sum(text);
}

/* ---- by /proc/interrupts -------------------------------------------------------- */

/* " 45:   0   17   PCI-MSIX-0000:01:10.0   0-edge   vfio-msix[0](0000:01:10.0)" */
static void take_line(char *line, const char *address,
                      struct vfio_interrupts *out)
{
    char *name = strrchr(line, ' ');
    char *colon = strchr(line, ':');
    char *rest = NULL;
    uint64_t number = 0;
    if (!name || !colon || colon > name || !is_vfio_name(name + 1, address))
        return;
    out->lines++;
    for (char *field = strtok_r(colon + 1, " ", &rest);
         field && str_to_u64(field, 10, UINT64_MAX, &number);
         field = strtok_r(NULL, " ", &rest))
        out->count += number;
}

void evidence_take(char *text, const char *address, struct vfio_interrupts *out)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        take_line(line, address, out);
}

/* On a host with hundreds of CPUs /proc/interrupts has megabytes. A device's own
 * interrupts are listed in its folder, and each has a folder that tells the same
 * (kernel/irq/irqdesc.c); kernels without CONFIG_SPARSE_IRQ have no such. */
int evidence_interrupts(const struct sysfs *sysfs,
                        const struct pci_address *address,
                        struct vfio_interrupts *out, struct error *err)
{
    char name[PCI_TEXT_SIZE];
    struct vfio_interrupts found = {0};
    pci_format(address, name);
    if (!sysfs_exists(sysfs, "sys/kernel/irq")) {
        auto_free char *text =
            sysfs_read_all(sysfs, "proc/interrupts", INTERRUPTS_MAX, err);
        if (!text)
            return -1;
        evidence_take(text, name, &found);
        *out = found;
        return 0;
    }
    auto_names struct sysfs_names numbers = {0};
    struct error refused = {0};
    struct sysfs_path path =
        sysfs_path("sys/bus/pci/devices/%s/msi_irqs", name);
    if (sysfs_list(sysfs, path.text, &numbers, &refused) < 0 &&
        refused.sys != ENOENT) {
        if (err)
            *err = refused;
        return -1;
    }
    for (size_t i = 0; i < numbers.count; i++)
        take_interrupt(sysfs, numbers.names[i], name, &found);
    *out = found;
    return 0;
}

/* ---- the op --------------------------------------------------------------------- */

static bool counts(const struct linux_host *host, const struct pf_key *key)
{
    const struct pf *pf = host->last ? inventory_pf(host->last, key) : NULL;
    return pf && pf->netdev[0] && pf->num_vfs <= LINK_STATISTICS_VFS_MAX &&
           pf->capabilities.trait[CAPABILITY_TRAIT_STATISTICS].support ==
               CAPABILITY_SUPPORTED;
}

/* Frames that the VF sent, where nothing better is told: whoever asks sees the
 * use by their growth. */
static int read_frames(struct linux_host *host, const struct pf_key *key,
                       uint16_t vf_index, struct vf_evidence *out,
                       struct error *err)
{
    char netdev[NETDEV_NAME_SIZE];
    auto_link_vfs struct link_vfs told = {0};
    if (!host->route || !counts(host, key))
        return 0;
    struct sysfs_path folder = device_folder(key);
    device_netdev(&host->sysfs, folder.text, netdev, NULL);
    if (!netdev[0])
        return 0;
    if (link_read_vfs(host->route, netdev, true, &told, err) < 0)
        return -1;
    if (vf_index < told.size)
        *out = (struct vf_evidence){.kind = EVIDENCE_VF_STATISTICS,
                                    .readable = true,
                                    .count = told.sent[vf_index]};
    return 0;
}

static int read_interrupts(const struct linux_host *host,
                           const struct pci_address *address,
                           struct vf_evidence *out, struct error *err)
{
    struct vfio_interrupts found;
    if (evidence_interrupts(&host->sysfs, address, &found, err) < 0)
        return -1;
    *out = (struct vf_evidence){.kind = EVIDENCE_VF_INTERRUPTS,
                                .readable = true,
                                .in_use = found.lines && found.count,
                                .count = found.count};
    return 0;
}

/* The VF's address; false: it has none (netdevsim). */
static bool find_address(const struct linux_host *host,
                         const struct pf_key *key, uint16_t vf_index,
                         struct pci_address *address)
{
    char name[PCI_TEXT_SIZE];
    struct sysfs_path folder = device_folder(key);
    struct sysfs_path path =
        sysfs_path("%s/virtfn%u", folder.text, (unsigned)vf_index);
    return sysfs_link_name(&host->sysfs, path.text, name, sizeof name, NULL) ==
               0 &&
           pci_parse(name, address);
}

int linux_vf_evidence(struct host_backend *backend, const struct pf_key *pf,
                      uint16_t vf_index, struct vf_evidence *evidence,
                      struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    struct pci_address address;
    struct vf_evidence found = {.kind = EVIDENCE_NONE};
    uint16_t vfs = 0;
    if (vf_count(&host->sysfs, pf, &vfs, err) < 0)
        return -1;
    if (vf_index >= vfs)
        return error_set(err, ERROR_VANISHED, "PF %s has no VF %u (%u now)",
                         pf->text, vf_index, vfs);
    bool on_pci = find_address(host, pf, vf_index, &address);
    char driver[64] = "";
    if (on_pci) {
        struct pf_key key = pf_key_of_pci(&address);
        struct sysfs_path folder = device_folder(&key);
        struct sysfs_path path = sysfs_path("%s/driver", folder.text);
        sysfs_link_name(&host->sysfs, path.text, driver, sizeof driver, NULL);
    }
    /* Without a driver nobody has it; a driver of the host's, or one that hands
     * it out in another way, has no such interrupts. */
    bool vfio = on_pci && (!driver[0] || strstr(driver, "vfio"));
    int result = vfio ? read_interrupts(host, &address, &found, err)
                      : read_frames(host, pf, vf_index, &found, err);
    if (result == 0)
        *evidence = found;
    return result;
}
