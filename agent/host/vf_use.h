/* SPDX-License-Identifier: Apache-2.0 */
/* Whether something on the host uses a VF, so that it is not ours to give. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* Why the VF at 'folder' is somebody else's, interned; "" if it is free.
 * vf->address and vf->driver are filled in already; fills in vf->netdev. */
const char *vf_use(const struct scan *scan, const char *folder, struct vf *vf);

/* Does this driver hand a device to user space or to another machine? */
bool vf_use_gives_away(const char *driver);
/* A network driver is bound to the device at 'folder' but shows no network
 * device: it was moved into another network namespace. 'virtio' as of
 * device_netdev. */
bool vf_use_netdev_moved(const struct scan *scan, const char *folder,
                         const char *virtio);
