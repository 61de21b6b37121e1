/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of domains against the real host's backend, with libvirt's own
 * test driver behind it. That plugs no devices in. */
#include "tests/contract/host/domains.h"

static struct host_backend *open_libvirt(void)
{
    struct error err = {0};
    struct host_backend *host = host_linux_open("", &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    int result = host_linux_use_libvirt(host, "test:///default", 0, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return host;
}

static void close_libvirt(struct host_backend *host)
{
    host->ops->close(host);
}

int main(void)
{
    const struct contract_domains_target target = {
        .name = "domains contract: libvirt's test driver",
        .open = open_libvirt,
        .close = close_libvirt,
        .head = "<domain type='test'>",
        .body = "<os><type>hvm</type></os>"};
    return contract_domains_run(&target) ? 1 : 0;
}
