/* SPDX-License-Identifier: Apache-2.0 */
/* One order to libvirt, from its begin to its end: see host_ops.h, domain_order,
 * and common/domain/list.h. Runs in a thread of libvirt_orders.c and waits for
 * libvirt. Each is idempotent: before and after a refusal it is looked whether
 * what was ordered is so already. */
#include "agent/host/libvirt_orders.h"
#include "common/base/mem.h"

#include <libvirt/virterror.h>
#include <string.h>

static inline void domain_free_p(virDomainPtr *domain)
{
    if (*domain)
        virDomainFree(*domain);
}
#define auto_domain __attribute__((cleanup(domain_free_p)))
static inline void facts_done_p(struct domain_facts *facts)
{
    domain_facts_done(facts);
}
#define auto_facts __attribute__((cleanup(facts_done_p)))

/* ---- refusals ---------------------------------------------------------------------- */

/* libvirt/virterror.h in our codes; what is not here is IO. */
static const struct {
    int number;
    enum error_code code;
} codes[] = {
    {VIR_ERR_NO_DOMAIN, ERROR_NOT_FOUND},
    {VIR_ERR_OPERATION_INVALID, ERROR_CONFLICT},
    {VIR_ERR_DOM_EXIST, ERROR_CONFLICT},
    {VIR_ERR_XML_ERROR, ERROR_INVALID},
    {VIR_ERR_XML_DETAIL, ERROR_INVALID},
    {VIR_ERR_XML_INVALID_SCHEMA, ERROR_INVALID},
    {VIR_ERR_INVALID_ARG, ERROR_INVALID},
    {VIR_ERR_NO_SUPPORT, ERROR_UNSUPPORTED},
    {VIR_ERR_CONFIG_UNSUPPORTED, ERROR_UNSUPPORTED},
    {VIR_ERR_ARGUMENT_UNSUPPORTED, ERROR_UNSUPPORTED},
    {VIR_ERR_OPERATION_UNSUPPORTED, ERROR_UNSUPPORTED},
    {VIR_ERR_OPERATION_DENIED, ERROR_PERMISSION},
    {VIR_ERR_ACCESS_DENIED, ERROR_PERMISSION},
    {VIR_ERR_AUTH_FAILED, ERROR_PERMISSION},
    {VIR_ERR_DEVICE_MISSING, ERROR_VANISHED},
    {VIR_ERR_OPERATION_TIMEOUT, ERROR_AGAIN},
    {VIR_ERR_OPERATION_ABORTED, ERROR_AGAIN},
    {VIR_ERR_RESOURCE_BUSY, ERROR_AGAIN},
    {VIR_ERR_RPC, ERROR_AGAIN},
    {VIR_ERR_NO_CONNECT, ERROR_AGAIN},
    {VIR_ERR_INVALID_CONN, ERROR_AGAIN},
};

/* What libvirt said last in this thread; -1. */
static int refused(virConnectPtr connection, const char *what,
                   struct error *err)
{
    int number = virGetLastErrorCode();
    enum error_code code = ERROR_IO;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].number == number)
            code = codes[i].code;
    error_fill(err, code, 0, "", "libvirt can't %s: %s", what,
               virGetLastErrorMessage());
    /* Asking forgets what was said last. */
    if (virConnectIsAlive(connection) != 1 && err)
        err->code = ERROR_AGAIN;
    return -1;
}

/* ---- looking ----------------------------------------------------------------------- */

enum found { FOUND, NONE, UNKNOWN };

static enum found find(virConnectPtr connection,
                       const struct domain_order *order, virDomainPtr *domain,
                       struct error *err)
{
    *domain = virDomainLookupByUUID(connection, order->domain.bytes);
    if (*domain)
        return FOUND;
    enum found found =
        virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? NONE : UNKNOWN;
    refused(connection, "find the domain", err);
    return found;
}

static bool is_active(virDomainPtr domain)
{
    return virDomainIsActive(domain) == 1;
}

/* Does the domain run without, or with, this device? The XML of a device is read
 * as that of a domain with nothing else. */
static bool has_device(virDomainPtr domain, const char *xml)
{
    auto_free char *wrapped =
        mem_printf("<domain><devices>%s</devices></domain>", xml);
    auto_free char *text = virDomainGetXMLDesc(domain, 0);
    auto_facts struct domain_facts wanted = {0};
    auto_facts struct domain_facts now = {0};
    if (!text || domain_read(wrapped, strlen(wrapped), &wanted, NULL) < 0 ||
        domain_read(text, strlen(text), &now, NULL) < 0 ||
        wanted.device_count != 1 || !*wanted.devices->alias)
        return false;
    for (size_t i = 0; i < now.device_count; i++)
        if (strcmp(now.devices[i].alias, wanted.devices->alias) == 0)
            return true;
    return false;
}

/* ---- the orders -------------------------------------------------------------------- */

static int define(virConnectPtr connection, const struct domain_order *order,
                  struct error *err)
{
    int on = 0;
    auto_facts struct domain_facts facts = {0};
    if (domain_read(order->xml, strlen(order->xml), &facts, err) < 0)
        return -1;
    if (!uuid_equal(&facts.uuid, &order->domain))
        return error_set(err, ERROR_INVALID,
                         "the definition is that of another domain");
    auto_domain virDomainPtr domain =
        virDomainDefineXML(connection, order->xml);
    if (!domain)
        return refused(connection, "define the domain", err);
    if (virDomainGetAutostart(domain, &on) < 0 ||
        (on && virDomainSetAutostart(domain, 0) < 0))
        return refused(connection, "switch the domain's autostart off", err);
    return 0;
}

static int start(virConnectPtr connection, const struct domain_order *order,
                 struct error *err)
{
    struct error why = {0};
    auto_domain virDomainPtr domain = NULL;
    if (find(connection, order, &domain, err) != FOUND)
        return -1;
    if (is_active(domain) || virDomainCreate(domain) == 0)
        return 0;
    refused(connection, "start the domain", &why);
    if (is_active(domain))
        return 0; /* somebody else did */
    if (err)
        *err = why;
    return -1;
}

/* shutdown and destroy: a domain that is off, or not there, is off. */
static int end(virConnectPtr connection, const struct domain_order *order,
               int (*call)(virDomainPtr), const char *what, struct error *err)
{
    struct error why = {0};
    auto_domain virDomainPtr domain = NULL;
    enum found found = find(connection, order, &domain, &why);
    if (found == NONE)
        return 0;
    if (found == FOUND) {
        int active = virDomainIsActive(domain);
        if (active == 0 || (active > 0 && call(domain) == 0))
            return 0;
        bool gone = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
        refused(connection, what, &why);
        if (gone || virDomainIsActive(domain) == 0)
            return 0; /* it ended meanwhile */
    }
    if (err)
        *err = why;
    return -1;
}

/* All that would hold it up; drivers that know no NVRAM and no checkpoints refuse
 * the flags of them. */
static int undefine_whole(virDomainPtr domain)
{
    const unsigned flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
                           VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
    int result = virDomainUndefineFlags(
        domain, flags | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
                    VIR_DOMAIN_UNDEFINE_NVRAM);
    if (result < 0 && virGetLastErrorCode() == VIR_ERR_INVALID_ARG)
        result = virDomainUndefineFlags(domain, flags);
    return result;
}

static int undefine(virConnectPtr connection, const struct domain_order *order,
                    struct error *err)
{
    struct error why = {0};
    auto_domain virDomainPtr domain = NULL;
    enum found found = find(connection, order, &domain, &why);
    if (found == NONE)
        return 0;
    if (found == FOUND) {
        int persistent = virDomainIsPersistent(domain);
        if (persistent == 0 || (persistent > 0 && undefine_whole(domain) == 0))
            return 0;
        bool gone = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
        refused(connection, "undefine the domain", &why);
        if (gone)
            return 0;
    }
    if (err)
        *err = why;
    return -1;
}

static int plug(virConnectPtr connection, const struct domain_order *order,
                struct error *err)
{
    auto_domain virDomainPtr domain = NULL;
    if (find(connection, order, &domain, err) != FOUND)
        return -1;
    if (has_device(domain, order->xml) ||
        virDomainAttachDeviceFlags(domain, order->xml,
                                   VIR_DOMAIN_AFFECT_LIVE) == 0)
        return 0;
    return refused(connection, "plug the device in", err);
}

/* By alias QEMU is asked and nothing is waited for; by XML libvirt waits up to
 * 5 s for the guest (qemu_hotplug.c, qemuDomainRemoveDeviceWaitTime). */
static int ask_unplug(virDomainPtr domain, const struct domain_order *order)
{
    return order->alias ? virDomainDetachDeviceAlias(domain, order->alias,
                                                     VIR_DOMAIN_AFFECT_LIVE)
                        : virDomainDetachDeviceFlags(domain, order->xml,
                                                     VIR_DOMAIN_AFFECT_LIVE);
}

/* Did libvirt just say that there is no such device, or QEMU that the guest was
 * asked already (softmmu/qdev-monitor.c, qmp_device_del)? */
static bool is_asked(void)
{
    return virGetLastErrorCode() == VIR_ERR_DEVICE_MISSING ||
           strstr(virGetLastErrorMessage(), "in the process of unplug");
}

/* libvirt has no error of its own for an alias that it does not find
 * (domain_conf.c, virDomainDefFindDevice). */
static bool lacks(virDomainPtr domain, const char *alias)
{
    if (!alias)
        return false;
    auto_free char *text = virDomainGetXMLDesc(domain, 0);
    auto_free char *name = mem_printf("<alias name='%s'/>", alias);
    return text && !strstr(text, name);
}

static int unplug(virConnectPtr connection, const struct domain_order *order,
                  struct error *err)
{
    struct error why = {0};
    auto_domain virDomainPtr domain = NULL;
    enum found found = find(connection, order, &domain, &why);
    if (found == NONE)
        return 0;
    if (found == FOUND) {
        int active = virDomainIsActive(domain);
        if (active == 0 || (active > 0 && ask_unplug(domain, order) == 0))
            return 0;
        bool asked = is_asked();
        refused(connection, "unplug the device", &why);
        if (asked || virDomainIsActive(domain) == 0 ||
            lacks(domain, order->alias))
            return 0;
    }
    if (err)
        *err = why;
    return -1;
}

int libvirt_order_now(virConnectPtr connection,
                      const struct domain_order *order, struct error *err)
{
    bool by_xml = order->kind == DOMAIN_DEFINE || order->kind == DOMAIN_PLUG ||
                  (order->kind == DOMAIN_UNPLUG && !order->alias);
    if (by_xml && !order->xml)
        return error_set(err, ERROR_INVALID, "the order lacks its XML");
    switch (order->kind) {
    case DOMAIN_DEFINE:
        return define(connection, order, err);
    case DOMAIN_START:
        return start(connection, order, err);
    case DOMAIN_SHUTDOWN:
        return end(connection, order, virDomainShutdown, "shut the domain down",
                   err);
    case DOMAIN_DESTROY:
        return end(connection, order, virDomainDestroy, "destroy the domain",
                   err);
    case DOMAIN_UNDEFINE:
        return undefine(connection, order, err);
    case DOMAIN_PLUG:
        return plug(connection, order, err);
    case DOMAIN_UNPLUG:
        return unplug(connection, order, err);
    case DOMAIN_ORDER_MAX:
        break;
    }
    return error_set(err, ERROR_INVALID, "there is no such order");
}
