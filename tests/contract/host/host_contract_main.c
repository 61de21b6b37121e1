/* SPDX-License-Identifier: Apache-2.0 */
/* host-contract PFKEY [FIELD...]: the contract of host backends against this
 * machine's kernel. FIELDs are those that the PF is known to refuse. The PF
 * must have VFs; the last free one is written to and put back, and they are made
 * anew. '+bridge_mode': its switch has a mode that can be set. Then the contract
 * on bridges (legs.h).
 *
 * host-contract libvirt=URI BRIDGE: the contract of domains against QEMU by the
 * libvirt at URI, once with a device that needs no guest to let go of it and once
 * with one that does, for which there is none. Both are on BRIDGE. */
#include "tests/contract/host/contract.h"
#include "tests/contract/host/domains.h"
#include "tests/contract/host/legs.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const char *uri;

static struct host_backend *open_linux(void)
{
    struct error err = {0};
    struct host_backend *host = host_linux_open("", &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    return host;
}

static struct host_backend *open_libvirt(void)
{
    struct error err = {0};
    struct host_backend *host = open_linux();
    int result = host_linux_use_libvirt(host, uri, 0, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return host;
}

static void close_linux(struct host_backend *host)
{
    host->ops->close(host);
}

static int run_host(int argc, char **argv)
{
    struct contract_target target = {.name = "host contract: linux",
                                     .open = open_linux,
                                     .close = close_linux};
    if (argc < 2 || !pf_key_parse(argv[1], &target.pf)) {
        fprintf(stderr,
                "usage: host-contract PFKEY [REFUSED-FIELD|+bridge_mode...]\n"
                "       host-contract libvirt=URI BRIDGE\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        enum policy_field field = policy_field_parse(argv[i]);
        if (strcmp(argv[i], "+bridge_mode") == 0) {
            target.bridges = true;
            continue;
        }
        if (field == POLICY_FIELD_MAX) {
            fprintf(stderr, "host-contract: no policy field '%s'\n", argv[i]);
            return 2;
        }
        target.refuses |= POLICY_BIT(field);
    }
    int failures = contract_run(&target);
    return failures + legs_run(&target) ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const char libvirt[] = "libvirt=";
    if (argc != 3 || !str_starts(argv[1], libvirt))
        return run_host(argc, argv);
    uri = argv[1] + strlen(libvirt);
    return contract_domains_run_qemu(open_libvirt, close_linux, argv[2]) ? 1
                                                                         : 0;
}
