/* SPDX-License-Identifier: Apache-2.0 */
/* The hook's standard input: the look at the text never says of a domain with
 * host devices that it is none of our business, and without the agent no domain
 * is let through that has a guarded device. */
#include "common/base/file.h"
#include "common/domain/guarded.h"
#include "plugins/hook/hook.h"

#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>

static const char list[] = "sriov-guarded 1\n"
                           "0000:3b:00.0 0000:3b:00.0\n"
                           "0000:3b:10.0 0000:3b:00.0\n"
                           "end\n";

static void prepare(struct hook_settings *settings, struct guarded *guarded)
{
    struct error err = {0};
    const char *folder = getenv("TMPDIR");
    char *place = mem_printf("%s/sriov-hook-XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(place))
        abort();
    settings->guarded = mem_printf("%s/guarded", place);
    settings->root = mem_printf("%s/none", place);
    if (file_replace(settings->guarded, list, strlen(list), 0600, &err) < 0 ||
        guarded_read(list, guarded, &err) < 0)
        abort();
    free(place);
}

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
    static struct hook_settings settings;
    static struct guarded guarded;
    if (!settings.guarded)
        prepare(&settings, &guarded);
    const struct hook_call call = {"g1", "prepare", "begin", "-"};
    const struct error why = {.code = ERROR_UNAVAILABLE, .msg = "none"};
    auto_str struct str text = {0};
    str_add_bytes(&text, (const char *)data, size);
    struct hook_xml xml = {.text = text.text, .length = text.length};
    if (size == 0)
        return 0;
    char reason[900] = "";
    bool concerns = hook_concerns(&call, &xml);
    bool allowed =
        hook_alone(&settings, &call, &xml, &why, reason, sizeof reason);
    if (allowed == (*reason != '\0') || strpbrk(reason, "\n\r"))
        abort();
    struct domain_facts facts;
    bool hardware, ours;
    struct error err = {0};
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
