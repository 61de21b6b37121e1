/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of libvirt and QEMU. The floor is what Debian 12 has. */
#include "agent/host/readiness_parts.h"

#include <string.h>

#define LIBVIRT_FLOOR 9000000ul /* 9.0.0 */
#define QEMU_FLOOR 7002000ul    /* 7.2.0 */

/* Both need an answer of libvirt; false: there is none, and it was said. */
static bool is_connected(const struct readiness_input *input,
                         struct verdict *out)
{
    const struct libvirt_status *status = input->libvirt;
    if (!status) {
        verdict_add(out, CHECK_UNKNOWN, NULL, "libvirt was not asked");
        return false;
    }
    if (status->state == LIBVIRT_CONNECTED)
        return true;
    if (status->state == LIBVIRT_CONNECTING)
        verdict_add(out, CHECK_UNKNOWN, NULL, "libvirt has not answered yet");
    return false;
}

void check_libvirt(const struct readiness_input *input, struct verdict *out)
{
    char text[32];
    const struct libvirt_status *status = input->libvirt;
    if (is_connected(input, out)) {
        libvirt_version_text(status->version, text);
        if (status->version < LIBVIRT_FLOOR)
            verdict_add(out, CHECK_FAILED,
                        "update libvirt: 9.0 (Debian 12) is the oldest that is "
                        "worked with",
                        "libvirt %s is too old", text);
        else if (*status->domains_error)
            verdict_add(out, CHECK_FAILED,
                        "look at that domain with 'virsh dumpxml' and at "
                        "libvirt's log; until then the agent touches no VF "
                        "that may be a domain's",
                        "libvirt %s answers, but its domains are not known: %s",
                        text, status->domains_error);
        else
            verdict_add(out, CHECK_OK, NULL, "libvirt %s answers", text);
    } else if (status && status->state == LIBVIRT_DISCONNECTED) {
        verdict_add(out, CHECK_FAILED,
                    "install libvirt-daemon-system, start libvirtd (or "
                    "virtqemud), and look that the agent's --libvirt-uri is "
                    "the right one",
                    "%s", status->error);
    }
}

void check_qemu(const struct readiness_input *input, struct verdict *out)
{
    char text[32];
    const struct libvirt_status *status = input->libvirt;
    if (!is_connected(input, out)) {
        if (status && status->state == LIBVIRT_DISCONNECTED)
            verdict_add(out, CHECK_UNKNOWN, "see the check 'libvirt'",
                        "libvirt tells it, and is not connected");
        return;
    }
    libvirt_version_text(status->hypervisor_version, text);
    if (strcmp(status->driver, "QEMU") != 0)
        verdict_add(out, CHECK_FAILED,
                    "let the agent's --libvirt-uri lead to QEMU: "
                    "qemu:///system",
                    "libvirt drives '%s' and not QEMU", status->driver);
    else if (!status->hypervisor_version)
        verdict_add(out, CHECK_FAILED,
                    "install qemu-system-x86 (or of the host's processor)",
                    "libvirt finds no QEMU");
    else if (status->hypervisor_version < QEMU_FLOOR)
        verdict_add(out, CHECK_FAILED,
                    "update QEMU: 7.2 (Debian 12) is the oldest that is "
                    "worked with",
                    "QEMU %s is too old", text);
    else
        verdict_add(out, CHECK_OK, NULL, "QEMU %s", text);
}
