/* SPDX-License-Identifier: Apache-2.0 */
/* The hook's standard input: the look at the text never says of a domain with
 * host devices that it is none of our business, and without the agent no domain
 * is let through that has a guarded device. */
#include "plugins/hook/hook.h"

#include "tests/fuzz/fuzz.h"

static const char list[] = "sriov-guarded 1\n"
                           "0000:3b:00.0 0000:3b:00.0\n"
                           "0000:3b:10.0 0000:3b:00.0\n"
                           "end\n";

/* What the domain has as domain_read() tells. */
static void look(const struct domain_facts *facts,
                 const struct guarded *guarded, bool *hardware, bool *ours)
{
    *hardware = *ours = false;
    for (size_t i = 0; i < facts->device_count; i++) {
        const struct domain_device *device = &facts->devices[i];
        *hardware |= device->kind != DOMAIN_INTERFACE;
        *ours |= device->kind == DOMAIN_HOSTDEV && device->has_address &&
                 guarded_find(guarded, &device->address);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guarded guarded;
    struct error err = {0};
    if (guarded.count == 0 && guarded_read(list, &guarded, &err) < 0)
        abort();
    const struct hook_call call = {"g1", "prepare", "begin", "-"};
    const struct error why = {.code = ERROR_UNAVAILABLE, .msg = "none"};
    auto_str struct str text = {0};
    str_add_bytes(&text, (const char *)data, size);
    struct hook_xml xml = {.text = text.text, .length = text.length};
    if (size == 0)
        return 0;
    char reason[900] = "";
    bool concerns = hook_concerns(&call, &xml);
    bool allowed = hook_judge(&guarded, "/nowhere", &call, &xml, &why, reason,
                              sizeof reason);
    if (allowed == (*reason != '\0') || strpbrk(reason, "\n\r"))
        abort();
    struct domain_facts facts;
    bool hardware, ours;
    if (domain_read(xml.text, xml.length, &facts, &err) < 0) {
        if (allowed)
            abort();
        return 0;
    }
    look(&facts, &guarded, &hardware, &ours);
    domain_facts_done(&facts);
    if ((hardware && !concerns) || (ours && allowed))
        abort();
    return 0;
}
