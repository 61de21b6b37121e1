/* SPDX-License-Identifier: Apache-2.0 */
/* A NIC model as read from agent/host/sim/models; private to the simulated
 * host. Numbers named '..._errno' are 0 = accepted, else what the kernel
 * answers. */
#pragma once

#include "common/model/inventory.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_model {
    const char *name, *title; /* interned, as all texts here */
    uint32_t pci_class;
    uint16_t vendor_id, device_id, vf_device_id;
    const char *vendor_name, *device_name, *driver, *vf_driver, *firmware;
    int32_t link_speed_mbps; /* -1 = not told */
    uint8_t eswitch_mode;    /* enum eswitch_mode */
    uint16_t total_vfs, num_vfs, vf_offset, vf_stride;
    bool link_reset;     /* another VF count takes the PF's link for a moment */
    uint8_t bridge_mode; /* enum bridge_mode at the start; NONE: it has none */
    bool flr;
    bool driver_mac; /* the VF's driver takes a random MAC where it has none */
    bool counts;     /* the driver counts per VF (ndo_get_vf_stats) */
    int hold_errno;  /* further MACs on the PF's own filter (ndo_fdb_add) */
    bool reports;    /* the driver lists its VFs at all (ndo_get_vf_config) */

    int mac_errno, mac_zero_errno;
    int vlan_errno, qos_errno, ad_errno; /* any; qos not 0; 802.1ad */
    int max_rate_errno, min_rate_errno;  /* other than 0 */
    int rate_errno;                      /* also for 0: no rates at all */
    bool rate_needs_link, rate_at_most_link, rate_lost_on_speed_change;
    bool rate_sum_of_min;          /* all min rates of the PF fit its link */
    uint32_t rate_lowest;          /* max rate, if not 0 */
    uint32_t rate_only_speed_mbps; /* link speed without which rates fail */
    int spoofchk_errno, trust_errno, link_state_errno;
    bool spoofchk_reported, spoofchk_initial, trust_reported;
    bool link_state_kept;          /* else accepted, and reads auto */
    struct capabilities sentinels; /* see sim_model_sentinels */
};

/* The capability record that a prober finds on a PF of this model, that has
 * seen its link up and down; told for the link as it is now. */
void sim_model_capabilities(const struct sim_model *model, bool link_up,
                            int32_t speed_mbps, struct capabilities *out);

/* What reading alone proves: the fields that the driver never reports, and what
 * sysfs tells of resets. */
void sim_model_sentinels(const struct sim_model *model,
                         struct capabilities *out);

/* Made by the build from agent/host/sim/models (models.cmake). */
struct sim_model_file {
    const char *name;
    const char *text;
    size_t length;
};
extern const struct sim_model_file sim_model_files[];
extern const size_t sim_model_file_count;
