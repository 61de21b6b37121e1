/* SPDX-License-Identifier: Apache-2.0 */
/* Reading configuration space: see pci_config.h. */
#include "agent/host/pci_config.h"

#include "agent/host/device.h"

#include <linux/pci_regs.h>
#include <unistd.h>

/* Both lists are chains of offsets; a broken device may have a circle. */
#define CAPABILITIES_MAX 48
#define EXTENDED_MAX ((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8)

static bool read_bytes(const struct pci_config *config, unsigned offset,
                       uint8_t *out, size_t size)
{
    return config->fd >= 0 &&
           pread(config->fd, out, size, (off_t)offset) == (ssize_t)size;
}

uint16_t pci_config_word(const struct pci_config *config, unsigned offset)
{
    uint8_t bytes[2];
    if (!read_bytes(config, offset, bytes, sizeof bytes))
        return 0;
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t pci_config_long(const struct pci_config *config, unsigned offset)
{
    uint8_t bytes[4];
    if (!read_bytes(config, offset, bytes, sizeof bytes))
        return 0;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

struct pci_config pci_config_open(const struct sysfs *sysfs,
                                  const struct pci_address *pci)
{
    struct pf_key key = pf_key_of_pci(pci);
    struct sysfs_path path = sysfs_path("%s/config", device_folder(&key).text);
    uint8_t byte = 0;
    struct pci_config config = {.fd = sysfs_open_file(sysfs, path.text)};
    config.whole = read_bytes(&config, PCI_STD_HEADER_SIZEOF, &byte, 1);
    return config;
}

void pci_config_close(struct pci_config *config)
{
    if (config->fd >= 0)
        close(config->fd);
    config->fd = -1;
}

unsigned pci_config_capability(const struct pci_config *config, unsigned id)
{
    if (!config->whole ||
        !(pci_config_word(config, PCI_STATUS) & PCI_STATUS_CAP_LIST))
        return 0;
    unsigned at = pci_config_word(config, PCI_CAPABILITY_LIST) & 0xfc;
    for (int i = 0; at >= PCI_STD_HEADER_SIZEOF && i < CAPABILITIES_MAX; i++) {
        unsigned head = pci_config_word(config, at);
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

unsigned pci_config_extended(const struct pci_config *config, unsigned id)
{
    unsigned at = config->whole ? PCI_CFG_SPACE_SIZE : 0;
    for (unsigned i = 0; at >= PCI_CFG_SPACE_SIZE && i < EXTENDED_MAX; i++) {
        uint32_t head = pci_config_long(config, at);
        if (head == 0 || head == UINT32_MAX)
            return 0;
        if (PCI_EXT_CAP_ID(head) == id)
            return at;
        at = PCI_EXT_CAP_NEXT(head);
    }
    return 0;
}
