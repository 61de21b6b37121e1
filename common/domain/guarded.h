/* SPDX-License-Identifier: Apache-2.0 */
/* Which PCI devices of this host are guarded: the PFs that may be used for VMs
 * and their VFs. The agent keeps the list in a file, so that the hook knows also
 * while the agent is down which domains it must not let start.
 *
 *     sriov-guarded 1
 *     0000:3b:00.0 0000:3b:00.0      the PF itself
 *     0000:3b:10.0 0000:3b:00.0      a VF and its PF
 *     end
 */
#pragma once

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/model/address.h"

struct guarded_device {
    struct pci_address address, pf; /* equal for the PF itself */
};
struct guarded {
    size_t count, capacity;
    struct guarded_device *devices; /* owned; ordered by address after
                                       guarded_sort(), each once */
};
void guarded_done(struct guarded *guarded);
#define auto_guarded __attribute__((cleanup(guarded_done)))

void guarded_add(struct guarded *guarded, const struct pci_address *address,
                 const struct pci_address *pf);
void guarded_sort(struct guarded *guarded);
/* NULL = not guarded. */
const struct guarded_device *guarded_find(const struct guarded *guarded,
                                          const struct pci_address *address);
bool guarded_same(const struct guarded *a, const struct guarded *b);

#define GUARDED_TEXT_MAX (4 << 20) /* 64 PFs with 1,024 VFs: 1.8 MiB */
void guarded_write(const struct guarded *guarded, struct str *out);
/* CORRUPT with the line; '*out' is zeroed by the caller. */
int guarded_read(const char *text, struct guarded *out, struct error *err);
