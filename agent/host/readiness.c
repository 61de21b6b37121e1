/* SPDX-License-Identifier: Apache-2.0 */
/* The list of checks, and how findings become a verdict: see readiness.h. */
#include "agent/host/readiness_parts.h"

#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int rank(enum check_status status)
{
    static const int ranks[CHECK_STATUS_MAX] = {[CHECK_OK] = 0,
                                                [CHECK_UNKNOWN] = 1,
                                                [CHECK_WARNING] = 2,
                                                [CHECK_FAILED] = 3};
    return ranks[status];
}

void verdict_add(struct verdict *verdict, enum check_status status,
                 const char *remedy, const char *format, ...)
{
    char text[256];
    va_list args;
    if (rank(status) < rank(verdict->status))
        return;
    if (rank(status) > rank(verdict->status)) {
        verdict->reason[0] = verdict->remedy[0] = '\0';
        verdict->status = status;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t have = strlen(verdict->reason);
    size_t room = sizeof verdict->reason - have;
    if (strlen(text) + 8 < room)
        snprintf(verdict->reason + have, room, "%s%s", have ? "; " : "", text);
    else if (room > 4 && !strstr(verdict->reason, "; ..."))
        snprintf(verdict->reason + have, room, "; ...");
    if (remedy && !verdict->remedy[0])
        str_copy(verdict->remedy, remedy);
}

bool readiness_has_sriov(const struct readiness_input *input)
{
    for (size_t i = 0; i < input->pf_count; i++)
        if (readiness_is_sriov(input->pfs[i]))
            return true;
    return false;
}

static const struct {
    const char *name;
    readiness_fn *check;
    bool of_pfs; /* there is nothing to check without an SR-IOV device */
} checks[] = {
    {"iommu", check_iommu, false},
    {"interrupt_remapping", check_interrupt_remapping, false},
    {"vfio_pci", check_vfio_pci, false},
    {"sriov_devices", check_sriov_devices, false},
    {"ari", check_ari, true},
    {"mmio_space", check_mmio_space, true},
    {"iommu_groups", check_iommu_groups, true},
    {"vf_drivers", check_vf_drivers, true},
    {"libvirt", check_libvirt, false},
    {"qemu", check_qemu, false},
    {"networks", check_networks, false},
};
#define CHECKS (sizeof checks / sizeof *checks)
_Static_assert(CHECKS <= HOST_CHECKS_MAX, "room for all checks");

size_t readiness_read(const struct readiness_input *input,
                      struct readiness_check out[HOST_CHECKS_MAX])
{
    bool sriov = readiness_has_sriov(input);
    for (size_t i = 0; i < CHECKS; i++) {
        struct verdict verdict = {.status = CHECK_OK};
        if (checks[i].of_pfs && !sriov)
            verdict_add(&verdict, CHECK_OK, NULL,
                        "nothing to check: no SR-IOV device is here");
        else
            checks[i].check(input, &verdict);
        out[i] = (struct readiness_check){.status = (uint8_t)verdict.status,
                                          .reason = str_intern(verdict.reason),
                                          .remedy = str_intern(verdict.remedy)};
        str_copy(out[i].name, checks[i].name);
    }
    return CHECKS;
}
