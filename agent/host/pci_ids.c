/* SPDX-License-Identifier: Apache-2.0 */
/* The pci.ids reader: see pci_ids.h. Format: pci-ids.ucw.cz; vendors begin a
 * line with four hex digits and two spaces, their devices follow after a tab,
 * subsystems after two tabs; from the first "C " line on come classes. */
#include "agent/host/pci_ids.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file has 1.4 MB in 2026; what is far larger is not it. */
#define PCI_IDS_LIMIT (16u << 20)

struct known {
    uint16_t vendor_id, device_id;
    const char *vendor_name, *device_name;
};
struct pci_ids {
    const struct sysfs *sysfs;
    size_t count, capacity;
    struct known *known;
};

struct pci_ids *pci_ids_new(const struct sysfs *sysfs)
{
    struct pci_ids *ids = mem_new(struct pci_ids);
    ids->sysfs = sysfs;
    return ids;
}

void pci_ids_free(struct pci_ids *ids)
{
    if (!ids)
        return;
    free(ids->known);
    free(ids);
}

static char *read_file_text(const struct sysfs *sysfs)
{
    static const char *const places[] = {"usr/share/misc/pci.ids",
                                         "usr/share/hwdata/pci.ids"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *text = sysfs_read_all(sysfs, places[i], PCI_IDS_LIMIT, NULL);
        if (text)
            return text;
    }
    return NULL;
}

static char *load(const struct sysfs *sysfs)
{
    char *text = read_file_text(sysfs);
    if (text || sysfs->live)
        return text;
    struct sysfs machine;
    if (sysfs_open(&machine, "", NULL) < 0)
        return NULL;
    text = read_file_text(&machine);
    sysfs_close(&machine);
    return text;
}

/* The name on a line that begins with 'id' and two spaces, else NULL. */
static char *name_on(char *line, uint16_t id)
{
    char start[8];
    snprintf(start, sizeof start, "%04x  ", id);
    return str_starts(line, start) ? line + 6 : NULL;
}

/* Names are UTF-8 in the file, but what is not printable ASCII would have to
 * be checked before it goes into JSON: show it as '?'. */
static const char *keep(char *name)
{
    for (char *c = name; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return str_intern(name);
}

static void find(char *text, struct known *known)
{
    bool in_vendor = false;
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n"))) {
        char *name;
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (line[0] != '\t') {
            if (in_vendor || str_starts(line, "C "))
                return;
            name = name_on(line, known->vendor_id);
            if (name) {
                in_vendor = true;
                known->vendor_name = keep(name);
            }
        } else if (in_vendor && line[1] != '\t') {
            name = name_on(line + 1, known->device_id);
            if (name) {
                known->device_name = keep(name);
                return;
            }
        }
    }
}

bool pci_ids_find(struct pci_ids *ids, uint16_t vendor_id, uint16_t device_id,
                  const char **vendor_name, const char **device_name)
{
    for (size_t i = 0; i < ids->count; i++) {
        const struct known *known = &ids->known[i];
        if (known->vendor_id == vendor_id && known->device_id == device_id) {
            *vendor_name = known->vendor_name;
            *device_name = known->device_name;
            return true;
        }
    }
    struct known known = {vendor_id, device_id, str_intern(""), str_intern("")};
    auto_free char *text = load(ids->sysfs);
    if (text) {
        find(text, &known);
        mem_grow(&ids->known, &ids->capacity, ids->count, sizeof *ids->known);
        ids->known[ids->count++] = known;
    }
    *vendor_name = known.vendor_name;
    *device_name = known.device_name;
    return text != NULL;
}
