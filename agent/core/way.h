/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a port's frames: by the VF, or by the virtio leg, and how it changes
 * from one to the other without silence (make before break).
 *
 * A card's embedded switch delivers a MAC to the VF from the moment that the VF
 * has it, though the guest may need seconds to bring the VF up, and goes on for a
 * while after the guest let it go. So the MAC is HELD on the own receive filter of
 * the PF that is the uplink of the port's bridge, whenever the port has a virtio
 * leg in a running domain and its VF is not proven in use. Then what the VF does
 * not take goes to the bridge; what both take, the guest drops once.
 */
#pragma once

#include "common/base/timestamp.h"
#include "common/base/uuid.h"
#include "common/model/address.h"

/* The hold stays so long after the VF was proven in use. */
#define WAY_RELEASE_NS (300 * TIMESTAMP_MS)
/* How often it is looked whether the guest uses the VF: until it does, and
 * afterwards (or after the deadline). */
#define WAY_POLL_NS (100 * TIMESTAMP_MS)
#define WAY_LOOK_NS (2 * TIMESTAMP_SECOND)
/* Announcements, where VF and bridge have different uplinks: the guest's replies
 * may still leave by the other one for so long. */
#define WAY_ANNOUNCE_NS (100 * TIMESTAMP_MS)
#define WAY_ANNOUNCE_VF_NS (4 * TIMESTAMP_SECOND)
#define WAY_ANNOUNCE_VIRTIO_NS (1200 * TIMESTAMP_MS)
/* Deadlines unless others are configured: the guest uses what was plugged; the
 * guest lets go of what it was asked for. */
#define WAY_PLUG_DEADLINE_NS (60 * TIMESTAMP_SECOND)
#define WAY_UNPLUG_DEADLINE_NS (30 * TIMESTAMP_SECOND)
/* Taps, learning and holds are read again so often; events come sooner. */
#define WAY_AUDIT_NS (60 * TIMESTAMP_SECOND)

/* The phases of a way. (H) = the MAC is held.
 *
 *          domain starts             VF wanted and proven,
 *   off ──────────────────► virtio(H)  MAC is held            plugging(H)
 *    ▲ │ with the VF in it   │  ▲ ▲ ──────────────────────────► │  │
 *    │ │                     │  │ │                    refused: │  │ domains() has
 *    │ │                     │  │ └────── back-off, asked again ┘  │ the device
 *    │ │                     │  │ device gone                      ▼
 *    │ └─────────────────────┼──┼─────────────────────────► unproven(H)
 *    │                       │  │                             │  │  │
 *    │ domain gone,          │  │        deadline: degraded   │  │  │ in use
 *    │ from anywhere         │  │                 late(H) ◄───┘  │  ▼
 *    │                       │  │                   │  │ ▲       │ vf: after 0.3 s
 *                            │  │                   │  │ └───────┼─ it is not held
 *                            │  │   in use ► vf ◄───┘  │ no longer in use
 *                            │  │                      │         │
 *                            │  └── unplugging(H) ◄────┴─────────┘ VF not wanted,
 *                            │      │  ▲   │                       MAC is held
 *                            │      │  │   │ deadline
 *                            │      │  │   ▼
 *                            └──────│─ kept(H): asked again only at another
 *                     device gone   ▼           revision; goes on when the guest
 *                                 virtio        lets go
 *
 * A port without a virtio leg is off, or 'plain' while its device is in the domain:
 * nothing is plugged, unplugged or held for it.
 */
enum way_phase {
    WAY_OFF,
    WAY_PLAIN,
    WAY_VIRTIO,
    WAY_PLUGGING,
    WAY_UNPROVEN,
    WAY_LATE,
    WAY_VF,
    WAY_UNPLUGGING,
    WAY_KEPT,
    WAY_PHASE_MAX
};

/* A MAC that is held, or was about to be: durable before it is put on the filter,
 * and removed only after it was seen to be gone. After a start each is compared
 * with what the filter has. */
struct hold {
    struct uuid port;
    struct pf_key pf; /* the uplink */
    struct mac mac;
};
#define HOLDS_MAX 65536 /* in a state file */
