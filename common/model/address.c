/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses, PF keys, VF names and MACs: see address.h. Every parser reads
 * the whole text or nothing, so no caller has to think about what follows. */
#include "common/model/address.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads min to max hex digits; moves *at behind them. */
static bool take_hex(const char **at, int min, int max, uint32_t *out)
{
    uint32_t value = 0;
    int count = 0;
    for (int digit; count < max && (digit = hex_digit(**at)) >= 0; count++) {
        value = value << 4 | (uint32_t)digit;
        (*at)++;
    }
    *out = value;
    return count >= min;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

bool pci_parse(const char *text, struct pci_address *out)
{
    uint32_t domain, bus, device, function;
    const char *at = text;
    if (!take_hex(&at, 4, 8, &domain) || !take_char(&at, ':') ||
        !take_hex(&at, 2, 2, &bus) || !take_char(&at, ':') ||
        !take_hex(&at, 2, 2, &device) || !take_char(&at, '.') ||
        !take_hex(&at, 1, 1, &function) || *at)
        return false;
    if (device > 31 || function > 7)
        return false;
    *out = (struct pci_address){domain, (uint8_t)bus, (uint8_t)device,
                                (uint8_t)function};
    return true;
}

const char *pci_format(const struct pci_address *address,
                       char text[PCI_TEXT_SIZE])
{
    int digits = 4;
    while (digits < 8 && address->domain >> (4 * digits))
        digits++;
    char *at = str_put_hex(text, address->domain, digits);
    *at++ = ':';
    at = str_put_hex(at, address->bus, 2);
    *at++ = ':';
    at = str_put_hex(at, address->device, 2);
    *at++ = '.';
    *str_put_hex(at, address->function, 1) = '\0';
    return text;
}

int pci_compare(const struct pci_address *a, const struct pci_address *b)
{
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    unsigned left =
        (unsigned)a->bus << 16 | (unsigned)a->device << 8 | a->function;
    unsigned right =
        (unsigned)b->bus << 16 | (unsigned)b->device << 8 | b->function;
    return left == right ? 0 : left < right ? -1 : 1;
}

/* "netdevsimN" in its one spelling: no sign, no leading zero. */
static bool is_netdevsim(const char *text)
{
    static const char start[] = "netdevsim";
    if (!str_starts(text, start))
        return false;
    const char *digits = text + sizeof start - 1;
    size_t length = strspn(digits, "0123456789");
    uint64_t number;
    return length && !digits[length] && (digits[0] != '0' || length == 1) &&
           str_to_u64(digits, 10, UINT32_MAX, &number);
}

bool pf_key_parse(const char *text, struct pf_key *out)
{
    struct pci_address address;
    if (pci_parse(text, &address)) {
        *out = pf_key_of_pci(&address);
        return true;
    }
    if (!is_netdevsim(text))
        return false;
    *out = (struct pf_key){0};
    return str_copy(out->text, text);
}

struct pf_key pf_key_of_pci(const struct pci_address *address)
{
    struct pf_key key = {0};
    pci_format(address, key.text);
    return key;
}

bool pf_key_pci(const struct pf_key *key, struct pci_address *out)
{
    return pci_parse(key->text, out);
}

const char *pf_key_bus(const struct pf_key *key)
{
    return str_starts(key->text, "netdevsim") ? "netdevsim" : "pci";
}

int pf_key_compare(const struct pf_key *a, const struct pf_key *b)
{
    return strcmp(a->text, b->text);
}

const char *vf_name_format(const struct pf_key *pf, uint16_t vf_index,
                           const struct pci_address *address,
                           char text[VF_NAME_SIZE])
{
    if (address)
        pci_format(address, text);
    else
        snprintf(text, VF_NAME_SIZE, "%s-vf%u", pf->text, vf_index);
    return text;
}

bool mac_parse(const char *text, struct mac *out)
{
    struct mac mac;
    const char *at = text;
    for (int i = 0; i < 6; i++) {
        uint32_t byte;
        if ((i && !take_char(&at, ':')) || !take_hex(&at, 2, 2, &byte))
            return false;
        mac.bytes[i] = (uint8_t)byte;
    }
    if (*at)
        return false;
    *out = mac;
    return true;
}

const char *mac_format(const struct mac *mac, char text[MAC_TEXT_SIZE])
{
    char *at = text;
    for (size_t i = 0; i < sizeof mac->bytes; i++) {
        at = str_put_hex(at, mac->bytes[i], 2);
        *at++ = ':';
    }
    at[-1] = '\0';
    return text;
}

int mac_compare(const struct mac *a, const struct mac *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool mac_is_zero(const struct mac *mac)
{
    static const struct mac zero;
    return mac_compare(mac, &zero) == 0;
}

bool mac_is_multicast(const struct mac *mac)
{
    return mac->bytes[0] & 1;
}

bool mac_is_local(const struct mac *mac)
{
    return (mac->bytes[0] & 3) == 2;
}

struct mac mac_make(struct rng *rng)
{
    uint64_t random = rng_next(rng);
    return (struct mac){{0x52, 0x54, 0x00, (uint8_t)(random >> 16),
                         (uint8_t)(random >> 8), (uint8_t)random}};
}

const char *mac_refused(const struct mac *mac)
{
    static const uint8_t bridge_group[3] = {0x01, 0x80, 0xc2};
    if (mac_is_zero(mac))
        return "the MAC is all zeros";
    if (memcmp(mac->bytes, bridge_group, sizeof bridge_group) == 0)
        return "01:80:c2 is reserved for bridges (IEEE 802.1D)";
    if (mac_is_multicast(mac))
        return "it is a multicast MAC (the first byte is odd)";
    return NULL;
}
