/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's states of domains and their reasons in our words
 * (libvirt-domain.h, virDomainState and virDomain…Reason). */
#include "agent/host/libvirt_parts.h"

/* "crashed" is told only of a domain without QEMU. One that is kept after its
 * guest's panic (on_crash preserve) is "paused" with the reason "panicked": it
 * still has its devices, and nobody may take them for free. */
enum power_state libvirt_power_state(int state, bool active)
{
    switch (state) {
    case VIR_DOMAIN_PAUSED:
        return POWER_PAUSED;
    case VIR_DOMAIN_SHUTDOWN:
        return POWER_SHUTTING_DOWN;
    case VIR_DOMAIN_PMSUSPENDED:
        return POWER_SUSPENDED;
    case VIR_DOMAIN_CRASHED:
        return active ? POWER_PAUSED : POWER_CRASHED;
    default: /* off; running, blocked, no state, and what is newer than this */
        return active ? POWER_RUNNING : POWER_SHUT_OFF;
    }
}

#define REASONS_MAX 16
static const char *const reasons[][REASONS_MAX] = {
    [VIR_DOMAIN_RUNNING] =
        {[VIR_DOMAIN_RUNNING_UNKNOWN] = "unknown",
         [VIR_DOMAIN_RUNNING_BOOTED] = "booted",
         [VIR_DOMAIN_RUNNING_MIGRATED] = "migrated",
         [VIR_DOMAIN_RUNNING_RESTORED] = "restored",
         [VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = "from_snapshot",
         [VIR_DOMAIN_RUNNING_UNPAUSED] = "unpaused",
         [VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = "migration_canceled",
         [VIR_DOMAIN_RUNNING_SAVE_CANCELED] = "save_canceled",
         [VIR_DOMAIN_RUNNING_WAKEUP] = "wakeup",
         [VIR_DOMAIN_RUNNING_CRASHED] = "crashed",
         [VIR_DOMAIN_RUNNING_POSTCOPY] = "postcopy",
         [VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = "postcopy_failed"},
    [VIR_DOMAIN_PAUSED] = {[VIR_DOMAIN_PAUSED_UNKNOWN] = "unknown",
                           [VIR_DOMAIN_PAUSED_USER] = "user",
                           [VIR_DOMAIN_PAUSED_MIGRATION] = "migration",
                           [VIR_DOMAIN_PAUSED_SAVE] = "save",
                           [VIR_DOMAIN_PAUSED_DUMP] = "dump",
                           [VIR_DOMAIN_PAUSED_IOERROR] = "ioerror",
                           [VIR_DOMAIN_PAUSED_WATCHDOG] = "watchdog",
                           [VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "from_snapshot",
                           [VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting_down",
                           [VIR_DOMAIN_PAUSED_SNAPSHOT] = "snapshot",
                           [VIR_DOMAIN_PAUSED_CRASHED] = "crashed",
                           [VIR_DOMAIN_PAUSED_STARTING_UP] = "starting_up",
                           [VIR_DOMAIN_PAUSED_POSTCOPY] = "postcopy",
                           [VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] =
                               "postcopy_failed"},
    [VIR_DOMAIN_SHUTDOWN] = {[VIR_DOMAIN_SHUTDOWN_UNKNOWN] = "unknown",
                             [VIR_DOMAIN_SHUTDOWN_USER] = "user"},
    [VIR_DOMAIN_SHUTOFF] = {[VIR_DOMAIN_SHUTOFF_UNKNOWN] = "unknown",
                            [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "shutdown",
                            [VIR_DOMAIN_SHUTOFF_DESTROYED] = "destroyed",
                            [VIR_DOMAIN_SHUTOFF_CRASHED] = "crashed",
                            [VIR_DOMAIN_SHUTOFF_MIGRATED] = "migrated",
                            [VIR_DOMAIN_SHUTOFF_SAVED] = "saved",
                            [VIR_DOMAIN_SHUTOFF_FAILED] = "failed",
                            [VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] =
                                "from_snapshot",
                            [VIR_DOMAIN_SHUTOFF_DAEMON] = "daemon"},
    [VIR_DOMAIN_CRASHED] = {[VIR_DOMAIN_CRASHED_UNKNOWN] = "unknown",
                            [VIR_DOMAIN_CRASHED_PANICKED] = "panicked"},
    [VIR_DOMAIN_PMSUSPENDED] = {[VIR_DOMAIN_PMSUSPENDED_UNKNOWN] = "unknown"},
};

const char *libvirt_reason(int state, int reason)
{
    const char *text = NULL;
    if (state >= 0 && (size_t)state < sizeof reasons / sizeof *reasons &&
        reason >= 0 && reason < REASONS_MAX)
        text = reasons[state][reason];
    return text ? text : "";
}
