/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what the firmware and the slot give SR-IOV devices: that there are
 * some, ARI, and memory space for the VFs. Registers: linux/pci_regs.h. */
#include "agent/host/readiness_parts.h"

#include "agent/host/device.h"
#include "agent/host/pci_config.h"
#include "common/base/str.h"

#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>

#define NEEDS_ROOT "run the agent as root: the kernel shows it to nobody else"

void check_sriov_devices(const struct readiness_input *input,
                         struct verdict *out)
{
    size_t pfs = 0;
    size_t total = 0;
    size_t vfs = 0;
    for (size_t i = 0; i < input->pf_count; i++) {
        if (!readiness_is_sriov(input->pfs[i]))
            continue;
        pfs++;
        total += input->pfs[i]->total_vfs;
        vfs += input->pfs[i]->vf_count;
    }
    if (pfs == 0)
        verdict_add(out, CHECK_WARNING,
                    "if there is such a card: turn 'SR-IOV' on in the "
                    "firmware of the host and, with its maker's tool, in the "
                    "card's own",
                    "no device here can have VFs");
    else
        verdict_add(out, CHECK_OK, NULL,
                    "%zu PF%s can have %zu VFs, %zu are there", pfs,
                    pfs == 1 ? "" : "s", total, vfs);
}

/* ---- ari ---------------------------------------------------------------------------- */

/* Without ARI a device has functions 0 to 7 of device 0 only. How many of its
 * VFs lie beyond, on the PF's own bus, as the card places them now. */
static unsigned count_beyond(const struct pf *pf,
                             const struct pci_config *config, unsigned at)
{
    unsigned total = pci_config_word(config, at + PCI_SRIOV_TOTAL_VF);
    unsigned first = pci_config_word(config, at + PCI_SRIOV_VF_OFFSET);
    unsigned stride = pci_config_word(config, at + PCI_SRIOV_VF_STRIDE);
    unsigned own = (unsigned)pf->address.device << 3 | pf->address.function;
    unsigned beyond = 0;
    for (unsigned i = 0; i < total; i++) {
        unsigned place = own + first + stride * i;
        beyond += place > 7 && place < 256;
    }
    return beyond;
}

/* The port above a device; false: it is on a root bus. */
static bool port_above(const struct sysfs *sysfs, const struct pf *pf,
                       struct pci_address *port)
{
    char target[SYSFS_TEXT_MAX];
    if (sysfs_read_link(sysfs, device_folder(&pf->key).text, target,
                        sizeof target, NULL) < 0)
        return false;
    char *own = strrchr(target, '/');
    if (!own)
        return false;
    *own = '\0';
    const char *parent = strrchr(target, '/');
    return parent && pci_parse(parent + 1, port);
}

static void judge_port(const struct pf *pf, const struct pci_config *port,
                       const char *name, unsigned beyond, struct verdict *out)
{
    unsigned at = pci_config_capability(port, PCI_CAP_ID_EXP);
    if (!at) {
        verdict_add(out, CHECK_UNKNOWN, port->whole ? NULL : NEEDS_ROOT,
                    "port %s above PF %s can't be read", name, pf->key.text);
        return;
    }
    bool can = (pci_config_long(port, at + PCI_EXP_DEVCAP2) &
                PCI_EXP_DEVCAP2_ARI) != 0;
    bool does = (pci_config_word(port, at + PCI_EXP_DEVCTL2) &
                 PCI_EXP_DEVCTL2_ARI) != 0;
    if (can && does)
        verdict_add(out, CHECK_OK, NULL, "port %s forwards ARI to PF %s", name,
                    pf->key.text);
    else if (can)
        verdict_add(out, CHECK_FAILED,
                    "turn 'ARI' on in the firmware, and take pci=noari out of "
                    "the kernel's arguments",
                    "port %s could forward ARI and does not: %u VFs of PF %s "
                    "can't be reached",
                    name, beyond, pf->key.text);
    else
        verdict_add(out, CHECK_FAILED,
                    "use a slot whose port has ARI, or fewer VFs",
                    "port %s has no ARI: %u VFs of PF %s can't be reached",
                    name, beyond, pf->key.text);
}

static void judge_ari(const struct sysfs *sysfs, const struct pf *pf,
                      struct verdict *out)
{
    auto_pci_config struct pci_config config =
        pci_config_open(sysfs, &pf->address);
    unsigned at = pci_config_extended(&config, PCI_EXT_CAP_ID_SRIOV);
    struct pci_address port;
    char name[PCI_TEXT_SIZE];
    if (!at) {
        verdict_add(out, CHECK_UNKNOWN, config.whole ? NULL : NEEDS_ROOT,
                    "the configuration of PF %s can't be read", pf->key.text);
        return;
    }
    unsigned beyond = count_beyond(pf, &config, at);
    if (beyond == 0 || !port_above(sysfs, pf, &port)) {
        verdict_add(out, CHECK_OK, NULL, "PF %s needs none", pf->key.text);
        return;
    }
    auto_pci_config struct pci_config above = pci_config_open(sysfs, &port);
    judge_port(pf, &above, pci_format(&port, name), beyond, out);
}

void check_ari(const struct readiness_input *input, struct verdict *out)
{
    for (size_t i = 0; i < input->pf_count; i++)
        if (readiness_is_sriov(input->pfs[i]))
            judge_ari(input->scan->sysfs, input->pfs[i], out);
}

/* ---- mmio_space --------------------------------------------------------------------- */

/* Lines of 'resource' (drivers/pci/pci-sysfs.c): six BARs, the ROM, then the
 * six BARs that all VFs share (PCI_IOV_RESOURCES). */
#define FIRST_VF_LINE 7
#define VF_BARS 6
/* include/linux/ioport.h: it has a size but no place. */
#define IORESOURCE_UNSET 0x20000000u

enum space { SPACE_GIVEN, SPACE_LACKING, SPACE_UNTOLD };

/* "0x00000000fe800000" */
static bool hex_parse(const char *text, uint64_t *out)
{
    return str_starts(text, "0x") && str_to_u64(text + 2, 16, UINT64_MAX, out);
}

static enum space read_space(const struct sysfs *sysfs, const struct pf *pf)
{
    char text[SYSFS_TEXT_MAX];
    struct sysfs_path path =
        sysfs_path("%s/resource", device_folder(&pf->key).text);
    if (sysfs_read(sysfs, path.text, text, sizeof text, NULL) < 0)
        return SPACE_UNTOLD;
    char *rest = text;
    char *line;
    int given = 0;
    int number = 0;
    for (; number < FIRST_VF_LINE + VF_BARS && (line = strsep(&rest, "\n"));
         number++) {
        char *fields[3];
        uint64_t start = 0;
        uint64_t flags = 0;
        if (sysfs_fields(line, fields, 3) != 3 ||
            !hex_parse(fields[0], &start) || !hex_parse(fields[2], &flags))
            return SPACE_UNTOLD;
        if (number < FIRST_VF_LINE || flags == 0)
            continue;
        if (start == 0 || (flags & IORESOURCE_UNSET))
            return SPACE_LACKING;
        given++;
    }
    if (number < FIRST_VF_LINE + VF_BARS)
        return SPACE_UNTOLD;
    /* A BAR that found no place at all is told as nothing
     * (drivers/pci/setup-bus.c, reset_resource), and a VF without any BAR
     * would be of no use. */
    return given ? SPACE_GIVEN : SPACE_LACKING;
}

void check_mmio_space(const struct readiness_input *input, struct verdict *out)
{
    for (size_t i = 0; i < input->pf_count; i++) {
        const struct pf *pf = input->pfs[i];
        if (!readiness_is_sriov(pf))
            continue;
        switch (read_space(input->scan->sysfs, pf)) {
        case SPACE_GIVEN:
            verdict_add(out, CHECK_OK, NULL, "the VFs of PF %s have theirs",
                        pf->key.text);
            break;
        case SPACE_LACKING:
            verdict_add(out, CHECK_FAILED,
                        "turn on 'Above 4G decoding' (and a large 'MMIO high "
                        "size') in the firmware, or boot with the kernel "
                        "argument pci=realloc",
                        "there is no memory space for the VFs of PF %s",
                        pf->key.text);
            break;
        case SPACE_UNTOLD:
            verdict_add(out, CHECK_UNKNOWN, NULL,
                        "the resources of PF %s can't be read", pf->key.text);
            break;
        }
    }
}
