/* SPDX-License-Identifier: Apache-2.0 */
/* The list of guarded devices: see guarded.h. */
#include "common/domain/guarded.h"

#include "common/base/mem.h"

#include <string.h>

#define FIRST_LINE "sriov-guarded 1"
#define LAST_LINE "end"

void guarded_done(struct guarded *guarded)
{
    free(guarded->devices);
    memset(guarded, 0, sizeof *guarded);
}

void guarded_add(struct guarded *guarded, const struct pci_address *address,
                 const struct pci_address *pf)
{
    mem_grow(&guarded->devices, &guarded->capacity, guarded->count,
             sizeof *guarded->devices);
    guarded->devices[guarded->count++] =
        (struct guarded_device){.address = *address, .pf = *pf};
}

static int compare(const void *a, const void *b)
{
    const struct guarded_device *left = a, *right = b;
    return pci_compare(&left->address, &right->address);
}

void guarded_sort(struct guarded *guarded)
{
    if (guarded->count == 0)
        return;
    qsort(guarded->devices, guarded->count, sizeof *guarded->devices, compare);
    size_t kept = 1;
    for (size_t i = 1; i < guarded->count; i++) {
        if (compare(&guarded->devices[i], &guarded->devices[kept - 1]) != 0)
            guarded->devices[kept++] = guarded->devices[i];
    }
    guarded->count = kept;
}

const struct guarded_device *guarded_find(const struct guarded *guarded,
                                          const struct pci_address *address)
{
    const struct guarded_device key = {.address = *address};
    if (guarded->count == 0)
        return NULL;
    return bsearch(&key, guarded->devices, guarded->count,
                   sizeof *guarded->devices, compare);
}

bool guarded_same(const struct guarded *a, const struct guarded *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = compare(&a->devices[i], &b->devices[i]) == 0 &&
               pci_compare(&a->devices[i].pf, &b->devices[i].pf) == 0;
    return same;
}

void guarded_write(const struct guarded *guarded, struct str *out)
{
    str_add(out, FIRST_LINE "\n");
    for (size_t i = 0; i < guarded->count; i++) {
        char address[PCI_TEXT_SIZE], pf[PCI_TEXT_SIZE];
        str_add(out, pci_format(&guarded->devices[i].address, address));
        str_add(out, " ");
        str_add(out, pci_format(&guarded->devices[i].pf, pf));
        str_add(out, "\n");
    }
    str_add(out, LAST_LINE "\n");
}

/* The line at '*at' without its end into 'line'; false where there is none, or
 * it is too long or not ended. */
static bool next_line(const char **at, char line[2 * PCI_TEXT_SIZE])
{
    const char *end = strchr(*at, '\n');
    if (!end || end - *at >= 2 * PCI_TEXT_SIZE)
        return false;
    memcpy(line, *at, (size_t)(end - *at));
    line[end - *at] = '\0';
    *at = end + 1;
    return true;
}

static bool read_device(char *line, struct guarded *out)
{
    struct guarded_device device;
    char *space = strchr(line, ' ');
    if (!space)
        return false;
    *space = '\0';
    if (!pci_parse(line, &device.address) || !pci_parse(space + 1, &device.pf))
        return false;
    guarded_add(out, &device.address, &device.pf);
    return true;
}

int guarded_read(const char *text, struct guarded *out, struct error *err)
{
    auto_guarded struct guarded guarded = {0};
    const char *at = text;
    char line[2 * PCI_TEXT_SIZE];
    size_t number = 1;
    bool good = next_line(&at, line) && strcmp(line, FIRST_LINE) == 0;
    bool ended = false;
    while (good && !ended) {
        number++;
        good = next_line(&at, line);
        ended = good && strcmp(line, LAST_LINE) == 0;
        good = good && (ended || read_device(line, &guarded));
    }
    if (!good || *at)
        return error_set(err, ERROR_CORRUPT,
                         "line %zu of the list of guarded devices is damaged",
                         number);
    guarded_sort(&guarded);
    *out = guarded;
    memset(&guarded, 0, sizeof guarded);
    return 0;
}
