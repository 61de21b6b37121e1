/* SPDX-License-Identifier: Apache-2.0 */
/* Without the agent: closed for domains that have a device it guards, open for
 * all others. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "plugins/hook/hook.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define REMEDY "start the agent: systemctl start sriov-agent"

/* 0 and an empty list where there is no file: nothing was ever guarded. */
static int load(const char *path, struct guarded *out, struct error *err)
{
    struct error why = {0};
    auto_free char *text =
        file_read(AT_FDCWD, path, GUARDED_TEXT_MAX, NULL, &why);
    if (!text && why.code == ERROR_VANISHED)
        return 0;
    if (!text) {
        if (err)
            *err = why;
        return -1;
    }
    return guarded_read(text, out, err);
}

/* The last name in a link's target, or further up, that is a PCI address. */
static bool pci_of_link(const char *path, struct pci_address *out)
{
    char target[PATH_MAX];
    if (!realpath(path, target))
        return false;
    for (char *slash = strrchr(target, '/'); slash;
         slash = strrchr(target, '/')) {
        if (pci_parse(slash + 1, out))
            return true;
        *slash = '\0';
    }
    return false;
}

/* The PF of a VF that is there. */
static bool pf_of_vf(const char *root, const struct pci_address *vf,
                     struct pci_address *pf)
{
    char text[PCI_TEXT_SIZE];
    auto_free char *path = mem_printf("%s/sys/bus/pci/devices/%s/physfn", root,
                                      pci_format(vf, text));
    return pci_of_link(path, pf);
}

/* The VF below a network device. */
static bool vf_of_netdev(const char *root, const char *netdev,
                         struct pci_address *vf)
{
    struct pci_address pf;
    if (!*netdev || strchr(netdev, '/') || *netdev == '.')
        return false;
    auto_free char *path =
        mem_printf("%s/sys/class/net/%s/device", root, netdev);
    return pci_of_link(path, vf) && pf_of_vf(root, vf, &pf);
}

static bool is_guarded(const struct guarded *guarded, const char *root,
                       const struct pci_address *address)
{
    struct pci_address pf;
    return guarded_find(guarded, address) ||
           (pf_of_vf(root, address, &pf) && guarded_find(guarded, &pf));
}

/* The first guarded device that the domain has. */
static bool find_guarded(const struct guarded *guarded, const char *root,
                         const struct domain_facts *facts,
                         struct pci_address *found)
{
    for (size_t i = 0; i < facts->device_count; i++) {
        const struct domain_device *device = &facts->devices[i];
        bool has = false;
        if (device->kind == DOMAIN_HOSTDEV && device->has_address) {
            *found = device->address;
            has = true;
        } else if (device->kind == DOMAIN_MACVTAP) {
            has = vf_of_netdev(root, device->source, found);
        }
        if (has && is_guarded(guarded, root, found))
            return true;
    }
    return false;
}

bool hook_judge(const struct guarded *guarded, const char *root,
                const struct hook_call *call, const struct hook_xml *xml,
                const struct error *why, char *reason, size_t size)
{
    struct domain_facts facts;
    struct error err = xml->err;
    if (guarded->count == 0)
        return true;
    if (err.code == ERROR_NONE &&
        domain_read(xml->text, xml->length, &facts, &err) == 0) {
        struct pci_address found;
        char text[PCI_TEXT_SIZE];
        bool has = find_guarded(guarded, root, &facts, &found);
        domain_facts_done(&facts);
        if (has)
            snprintf(reason, size,
                     "domain '%.100s' has %s, which the SR-IOV agent guards, "
                     "and the agent can't be asked (%.160s); " REMEDY,
                     call->domain, pci_format(&found, text), why->msg);
        return !has;
    }
    snprintf(
        reason, size,
        "whether domain '%.100s' has devices that the SR-IOV agent guards "
        "can't be told: %.160s, and the agent can't be asked (%.120s); " REMEDY,
        call->domain, err.msg, why->msg);
    return false;
}

bool hook_alone(const struct hook_settings *settings,
                const struct hook_call *call, const struct hook_xml *xml,
                const struct error *why, char *reason, size_t size)
{
    auto_guarded struct guarded guarded = {0};
    struct error err = {0};
    if (strcmp(call->operation, "release") == 0)
        return true;
    if (load(settings->guarded, &guarded, &err) == 0)
        return hook_judge(&guarded, settings->root, call, xml, why, reason,
                          size);
    snprintf(reason, size,
             "domain '%.100s' has host devices, and whether the SR-IOV agent "
             "guards them can't be told: the agent can't be asked (%.120s), "
             "and %.160s; " REMEDY,
             call->domain, why->msg, err.msg);
    return false;
}
