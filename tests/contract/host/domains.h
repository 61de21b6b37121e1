/* SPDX-License-Identifier: Apache-2.0 */
/* What every host backend must do with domains (agent/host/host_ops.h, domains
 * and domain_order), as one suite: libvirt's test driver, the simulated host and,
 * in the lab and with a libvirtd of the test's own, QEMU are held against it.
 *
 * It makes one domain with the UUID CONTRACT_DOMAIN and ends it again; other
 * domains are not touched. */
#pragma once

#include "agent/host/host_ops.h"

#include <check.h>

#define CONTRACT_DOMAIN "c0117ac7-d0e5-4b1c-8f2a-5e6f70819203"

struct contract_domains_target {
    const char *name; /* of the suite */
    /* Called before and after each test, in the test's own process. */
    struct host_backend *(*open)(void);
    void (*close)(struct host_backend *host);
    /* The start of the definition up to the name: "<domain type='test'>", and
     * what follows the <memory> and <vcpu>: <os>, devices without interfaces. */
    const char *head, *body;
    /* A device to plug in and its alias; NULL: it can't plug any in. */
    const char *device, *alias;
    bool lets_go; /* the guest lets go of it when asked */
};
/* Returns the number of failures. */
int contract_domains_run(const struct contract_domains_target *target);
/* The same with QEMU behind 'open', whose devices are on 'bridge': once with a
 * device that needs no guest to let go of it (USB), once with one that does
 * (virtio), for which there is none. */
int contract_domains_run_qemu(struct host_backend *(*open)(void),
                              void (*close)(struct host_backend *host),
                              const char *bridge);
