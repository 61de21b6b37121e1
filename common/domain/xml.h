/* SPDX-License-Identifier: Apache-2.0 */
/* libxml2, as the files of this folder use it; nobody else includes this. */
#pragma once

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "common/domain/domain.h"

#include <libxml/tree.h>

/* libvirt lets users choose aliases that begin so. */
#define ALIAS_START "ua-"
#define ALIAS_VF_END "-vf"
#define SPOOFCHK_FILTER "no-mac-spoofing"
#define KILOBYTES_PER_MEGABIT 125u

static inline void xml_doc_free_p(xmlDoc **doc)
{
    xmlFreeDoc(*doc);
}
#define auto_xml_doc __attribute__((cleanup(xml_doc_free_p)))
static inline void xml_text_free_p(xmlChar **text)
{
    xmlFree(*text);
}
#define auto_xml_text __attribute__((cleanup(xml_text_free_p)))

/* A document: well-formed UTF-8 (whatever it declares), without a DOCTYPE, so
 * without entities. NULL + INVALID with field "domain_xml" and the line. */
xmlDoc *xml_parse(const char *text, size_t length, struct error *err);
/* One whose root is libvirt's <domain>. */
xmlDoc *xml_parse_domain(const char *text, size_t length, struct error *err);
/* Refuses: the message, "(line N)" where the node has one. Always -1. */
#define xml_refuse(err, node, ...) (xml_refuse_fill(err, node, __VA_ARGS__), -1)
void xml_refuse_fill(struct error *err, const xmlNode *node, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));

/* An element of libvirt's, which has no namespace; name NULL = any. */
bool xml_is(const xmlNode *node, const char *name);
/* The first such child, the next such sibling; NULL = none. 'node' may be NULL. */
xmlNode *xml_child(const xmlNode *node, const char *name);
xmlNode *xml_next(const xmlNode *node, const char *name);
/* for each child element of a name */
#define xml_for_each(child, node, name)                                        \
    for (xmlNode *child = xml_child(node, name); child;                        \
         child = xml_next(child, name))
/* A copy of an attribute without namespace, of the text in an element without
 * the space around it; NULL: it has none. 'node' may be NULL. */
xmlChar *xml_attribute(const xmlNode *node, const char *name);
xmlChar *xml_text(const xmlNode *node);
bool xml_attribute_is(const xmlNode *node, const char *name, const char *value);

/* Numbers as libvirt reads them: of counts, decimal; of PCI addresses, decimal,
 * 0x hexadecimal or 0 octal. */
bool xml_count(const xmlChar *text, uint64_t max, uint64_t *out);
bool xml_number(const xmlChar *text, uint64_t max, uint64_t *out);
/* The memory that an element tells, by its text and 'unit' (KiB where it has
 * none), in KiB rounded up as libvirt does. False: no number or unit. */
bool xml_memory_kib(const xmlNode *node, uint64_t *out);
/* The same of a number and its unit (NULL or "": KiB). */
bool xml_scaled_kib(const xmlChar *number, const xmlChar *unit, uint64_t *out);

/* The port that an alias is about. '*vf': it is the VF's. False: not ours. */
bool xml_alias_port(const char *alias, struct uuid *port, bool *vf);
/* The same of a device by its <alias>. */
bool xml_device_port(const xmlNode *device, struct uuid *port, bool *vf);
/* Our metadata: an element in DOMAIN_METADATA_NS. */
bool xml_is_ours(const xmlNode *node);
/* A <hostdev> of PCI. */
bool xml_is_pci_hostdev(const xmlNode *device);
