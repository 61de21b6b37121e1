/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells without being asked: device events (the kernel's own
 * uevent group, so no udev is needed) and rtnetlink's notices of links and
 * routes. Mapped to PF keys; lost messages become "read everything".
 *
 * devlink sends no notice when an eswitch changes its mode; the representors
 * that come and go with it do. */
#pragma once

#include "agent/host/host_ops.h"
#include "agent/host/sysfs.h"

struct events;
/* 'sysfs' is borrowed. */
struct events *events_open(const struct sysfs *sysfs, struct error *err);
void events_close(struct events *events);
/* To poll for reading. */
int events_fd(const struct events *events);
/* Make events_fd() readable when this descriptor is; its owner drains it. */
int events_watch(struct events *events, int fd, struct error *err);
/* Take what has come; never waits. */
int events_drain(struct events *events, struct host_changes *out,
                 struct error *err);

/* A PF was read: remember whose its VFs are. */
void events_remember(struct events *events, const struct pf *pf);

/* One kernel event: "ACTION@DEVPATH", then KEY=VALUE texts, each with its 0.
 * Apart for tests. */
void events_take_uevent(struct events *events, const char *text, size_t length,
                        struct host_changes *out);
/* One datagram of rtnetlink's notices, aligned as malloc() does. Apart for
 * tests. */
void events_take_notices(struct events *events, const void *bytes,
                         size_t length, struct host_changes *out);
