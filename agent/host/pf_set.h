/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing PFs to a target (host_ops.h, pf_set): the writing is done by one
 * thread a change, because a write to sriov_numvfs takes from 0.3 s (igb) to
 * minutes, or for ever where a driver hangs. The loop thread starts it, asks for
 * its end, and gets its result; a thread that never ends is left alone, with the
 * memory that it uses.
 *
 * While a change runs, nothing of its PF is read: the kernel makes readers of
 * sriov_numvfs and sriov_vf_total_msix wait for the writer (drivers/pci/iov.c,
 * device_lock), and half-made VFs are nobody's yet. The PF is told as it was
 * when the change began.
 *
 * Threads: all functions from the loop thread; the threads inside share nothing
 * with it but their own change.
 */
#pragma once

#include "agent/host/host_ops.h"
#include "agent/host/sysfs.h"

struct pf_sets;
/* 'sysfs' is borrowed; changes work on a descriptor of their own. */
struct pf_sets *pf_sets_new(const struct sysfs *sysfs, struct error *err);
void pf_sets_free(struct pf_sets *sets); /* NULL is fine; never waits */
/* Readable when a change has ended: for the loop's poll. */
int pf_sets_fd(const struct pf_sets *sets);
/* See host_ops.h. 'now' is the PF as it reads now (kept for
 * pf_sets_running()). */
int pf_sets_set(struct pf_sets *sets, const struct pf_key *key,
                const struct pf_target *target, const struct pf *now,
                struct error *err);
/* The PF as it was when the change that runs on it began; NULL = none runs.
 * Borrowed. */
const struct pf *pf_sets_running(struct pf_sets *sets,
                                 const struct pf_key *key);
/* Would pf_sets_set() with this target begin something, rather than tell how
 * the running or ended change is? */
bool pf_sets_begins(struct pf_sets *sets, const struct pf_key *key,
                    const struct pf_target *target);
/* Name the PFs whose change has ended since the last call. */
void pf_sets_drain(struct pf_sets *sets, struct host_changes *out);

/* What a change's thread does, on the caller's thread: for tests. */
int pf_set_now(const struct sysfs *sysfs, const struct pf_key *key,
               const struct pf_target *target, struct error *err);
