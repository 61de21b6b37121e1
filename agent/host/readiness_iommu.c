/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the IOMMU: is it on, are interrupts remapped, are VFs alone in
 * their groups. */
#include "agent/host/readiness_parts.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

enum cpu { CPU_OTHER, CPU_INTEL, CPU_AMD };

static enum cpu cpu_of(const struct sysfs *sysfs)
{
    /* One processor's lines are enough; the file grows with their number. */
    auto_free char *text =
        sysfs_read_all(sysfs, "proc/cpuinfo", 8u << 20, NULL);
    if (text && strstr(text, "GenuineIntel"))
        return CPU_INTEL;
    if (text && (strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine")))
        return CPU_AMD;
    return CPU_OTHER;
}

/* Is the word among the kernel's arguments? */
static bool has_argument(const struct sysfs *sysfs, const char *word)
{
    char text[SYSFS_TEXT_MAX];
    if (sysfs_read(sysfs, "proc/cmdline", text, sizeof text, NULL) < 0)
        return false;
    char *rest = text;
    char *part;
    while ((part = strsep(&rest, " \n")))
        if (strcmp(part, word) == 0)
            return true;
    return false;
}

/* The firmware describes the IOMMU in an ACPI table, if it is turned on. */
static bool has_table(const struct sysfs *sysfs, const char *name)
{
    struct sysfs_path path = sysfs_path("sys/firmware/acpi/tables/%s", name);
    return sysfs_exists(sysfs, path.text);
}

static size_t count_names(const struct sysfs *sysfs, const char *folder)
{
    auto_names struct sysfs_names names = {0};
    return sysfs_list(sysfs, folder, &names, NULL) < 0 ? 0 : names.count;
}

/* ---- iommu ------------------------------------------------------------------- */

static void say_no_iommu(const struct sysfs *sysfs, struct verdict *out)
{
    static const char *const offs[] = {"intel_iommu=off", "amd_iommu=off",
                                       "iommu=off"};
    for (size_t i = 0; i < sizeof offs / sizeof *offs; i++)
        if (has_argument(sysfs, offs[i])) {
            char remedy[128];
            snprintf(remedy, sizeof remedy,
                     "take '%s' out of the kernel's arguments and boot again",
                     offs[i]);
            verdict_add(out, CHECK_FAILED, remedy,
                        "the IOMMU was turned off by the kernel argument '%s'",
                        offs[i]);
            return;
        }
    switch (cpu_of(sysfs)) {
    case CPU_INTEL:
        if (has_table(sysfs, "DMAR"))
            verdict_add(out, CHECK_FAILED,
                        "boot with the kernel argument intel_iommu=on (and "
                        "iommu=pt, so that the host's own devices lose "
                        "nothing)",
                        "the firmware offers VT-d, but the kernel does not "
                        "use it");
        else
            verdict_add(out, CHECK_FAILED,
                        "turn on 'VT-d' (Intel Virtualization Technology for "
                        "Directed I/O) in the firmware, then boot with "
                        "intel_iommu=on iommu=pt",
                        "the firmware offers no IOMMU (no DMAR table)");
        break;
    case CPU_AMD:
        verdict_add(out, CHECK_FAILED,
                    "turn on 'IOMMU' (AMD-Vi, under NBIO or chipset) in the "
                    "firmware; Linux then uses it by itself",
                    has_table(sysfs, "IVRS")
                        ? "the firmware offers an IOMMU, but the kernel does "
                          "not use it"
                        : "the firmware offers no IOMMU (no IVRS table)");
        break;
    case CPU_OTHER:
        verdict_add(out, CHECK_FAILED,
                    "turn on the IOMMU (SMMU) in the firmware, with a kernel "
                    "that has its driver",
                    "the kernel has no IOMMU");
        break;
    }
}

void check_iommu(const struct readiness_input *input, struct verdict *out)
{
    const struct sysfs *sysfs = input->scan->sysfs;
    size_t groups = count_names(sysfs, "sys/kernel/iommu_groups");
    size_t units = count_names(sysfs, "sys/class/iommu");
    if (groups == 0) {
        say_no_iommu(sysfs, out);
        return;
    }
    verdict_add(out, CHECK_OK, NULL, "on: %zu unit%s, %zu groups", units,
                units == 1 ? "" : "s", groups);
    for (size_t i = 0; i < input->pf_count; i++) {
        const struct pf *pf = input->pfs[i];
        if (readiness_is_sriov(pf) && pf->iommu_group < 0)
            verdict_add(out, CHECK_FAILED,
                        "look for a firmware setting that leaves this slot "
                        "out of the IOMMU, or use another slot",
                        "PF %s is behind no IOMMU", pf->key.text);
    }
}

/* ---- interrupt_remapping -------------------------------------------------------- */

/* Most interrupts that are looked at: the first ones are those of the IO-APIC,
 * which are remapped with all the others. */
#define INTERRUPTS_MAX 256

/* 1 = on, 0 = off, -1 = not told. x86 kernels begin the names of their
 * interrupt chips with "IR-" (virtual "vIR-") when interrupts are remapped, as
 * /proc/interrupts shows (arch/x86/kernel/apic/io_apic.c, msi.c). */
static int is_remapping(const struct sysfs *sysfs)
{
    auto_names struct sysfs_names names = {0};
    int answer = -1;
    if (sysfs_list(sysfs, "sys/kernel/irq", &names, NULL) < 0)
        return -1;
    for (size_t i = 0; i < names.count && i < INTERRUPTS_MAX; i++) {
        char chip[64];
        struct sysfs_path path =
            sysfs_path("sys/kernel/irq/%s/chip_name", names.names[i]);
        if (sysfs_read(sysfs, path.text, chip, sizeof chip, NULL) < 0)
            continue;
        if (str_starts(chip, "IR-") || str_starts(chip, "vIR-"))
            return 1;
        if (str_starts(chip, "IO-APIC") || str_starts(chip, "PCI-MSI"))
            answer = 0;
    }
    return answer;
}

/* Bit 3 (IR) of the extended capabilities of a VT-d unit: Intel's VT-d
 * specification, "Extended Capability Register". 1, 0; -1 = no VT-d told. */
static int can_remap(const struct sysfs *sysfs)
{
    auto_names struct sysfs_names units = {0};
    int answer = -1;
    sysfs_list(sysfs, "sys/class/iommu", &units, NULL);
    for (size_t i = 0; i < units.count; i++) {
        char text[32];
        uint64_t ecap = 0;
        struct sysfs_path path =
            sysfs_path("sys/class/iommu/%s/intel-iommu/ecap", units.names[i]);
        if (sysfs_read(sysfs, path.text, text, sizeof text, NULL) < 0 ||
            !str_to_u64(text, 16, UINT64_MAX, &ecap))
            continue;
        if (!(ecap >> 3 & 1))
            return 0;
        answer = 1;
    }
    return answer;
}

static bool unsafe_is_allowed(const struct sysfs *sysfs)
{
    char text[8] = "";
    sysfs_read(sysfs,
               "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
               text, sizeof text, NULL);
    return strcmp(text, "Y") == 0;
}

void check_interrupt_remapping(const struct readiness_input *input,
                               struct verdict *out)
{
    const struct sysfs *sysfs = input->scan->sysfs;
    int on = is_remapping(sysfs);
    if (on > 0) {
        verdict_add(out, CHECK_OK, NULL, "on");
        return;
    }
    if (on < 0) {
        verdict_add(out, CHECK_UNKNOWN,
                    "VFIO refuses devices if it is missing: look for "
                    "'No interrupt remapping' in the kernel's log",
                    "the kernel does not show it on this machine");
        return;
    }
    if (unsafe_is_allowed(sysfs)) {
        verdict_add(out, CHECK_WARNING,
                    "turn interrupt remapping on in the firmware, and "
                    "vfio_iommu_type1.allow_unsafe_interrupts off",
                    "off, and VFIO was told to do without: a VM with a VF can "
                    "send interrupts to the host");
        return;
    }
    if (count_names(sysfs, "sys/kernel/iommu_groups") == 0)
        verdict_add(out, CHECK_FAILED, "turn the IOMMU on first: see 'iommu'",
                    "off, as the IOMMU is");
    else if (has_argument(sysfs, "intremap=off") ||
             has_argument(sysfs, "nointremap"))
        verdict_add(out, CHECK_FAILED,
                    "take 'intremap=off' out of the kernel's arguments and "
                    "boot again",
                    "turned off by a kernel argument");
    else if (can_remap(sysfs) == 0)
        verdict_add(out, CHECK_FAILED,
                    "there is no setting for it; VFs are given to VMs only "
                    "with vfio_iommu_type1.allow_unsafe_interrupts=1, which "
                    "lets a VM send interrupts to the host",
                    "the IOMMU of this machine can't do it");
    else
        verdict_add(out, CHECK_FAILED,
                    "turn on interrupt remapping (and x2APIC) in the "
                    "firmware; an update may be needed where it is turned off "
                    "for a fault of the chipset",
                    "off, though the IOMMU is on: VFIO will refuse VFs");
}

/* ---- iommu_groups ----------------------------------------------------------------- */

static void judge_groups(const struct scan *scan, const struct pf *pf,
                         size_t *alone, struct verdict *out)
{
    size_t shared = 0;
    char first[PCI_TEXT_SIZE] = "";
    char with[PCI_TEXT_SIZE] = "";
    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        char other[PCI_TEXT_SIZE];
        if (vf->iommu_group < 0)
            continue;
        if (!scan_shares_group(scan, vf->iommu_group, &vf->address, other)) {
            (*alone)++;
            continue;
        }
        if (shared++ == 0) {
            pci_format(&vf->address, first);
            memcpy(with, other, sizeof with);
        }
    }
    if (shared)
        verdict_add(out, CHECK_FAILED,
                    "use a slot whose root port has ACS, or turn 'ACS' on in "
                    "the firmware: devices of one group can only be given "
                    "away together",
                    "%zu VFs of PF %s are not alone in their IOMMU groups "
                    "(%s is with %s)",
                    shared, pf->key.text, first, with);
}

void check_iommu_groups(const struct readiness_input *input,
                        struct verdict *out)
{
    size_t alone = 0;
    for (size_t i = 0; i < input->pf_count; i++)
        if (readiness_is_sriov(input->pfs[i]))
            judge_groups(input->scan, input->pfs[i], &alone, out);
    if (alone)
        verdict_add(out, CHECK_OK, NULL, "%zu VFs, each alone in its group",
                    alone);
    else
        verdict_add(out, CHECK_UNKNOWN, NULL,
                    "there are no VFs in IOMMU groups yet");
}
