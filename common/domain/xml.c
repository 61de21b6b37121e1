/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and walking of domain XML with libxml2: see xml.h. */
#include "common/domain/xml.h"

#include "common/base/str.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

/* ---- parsing ---------------------------------------------------------------- */

#define ATTRIBUTES_MAX 1000 /* of one element; libvirt knows about ten */

/* libxml2's tables are to be made before threads use it. */
static pthread_once_t started = PTHREAD_ONCE_INIT;

void xml_refuse_fill(struct error *err, const xmlNode *node, const char *format,
                     ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    long line = node ? xmlGetLineNo(node) : -1;
    if (line > 0)
        error_fill(err, ERROR_INVALID, 0, "domain_xml", "%s (line %ld)", text,
                   line);
    else
        error_fill(err, ERROR_INVALID, 0, "domain_xml", "%s", text);
}

/* libxml2 calls this at '<!DOCTYPE', before it reads any declaration. */
static void refuse_doctype(void *context, const xmlChar *name,
                           const xmlChar *public_id, const xmlChar *system_id)
{
    xmlParserCtxt *parser = context;
    (void)name;
    (void)public_id;
    (void)system_id;
    *(bool *)parser->_private = true;
    xmlStopParser(parser);
}

/* Why the parser gave up; its texts end with a newline. */
static int refuse_malformed(const xmlParserCtxt *parser, struct error *err)
{
    const xmlError *last = &parser->lastError;
    char why[160] = "";
    if (last->message)
        str_copy(why, last->message);
    why[strcspn(why, "\r\n")] = '\0';
    /* It may quote bytes that are no text. */
    for (char *c = why; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    return error_set_field(err, ERROR_INVALID, "domain_xml",
                           "is not well-formed XML in UTF-8: %s (line %d)",
                           *why ? why : "nothing in it", last->line);
}

/* libxml2 compares each attribute of an element with each other (2.9.14), so
 * that 1 MiB of them takes minutes. '<' can't be in one, so what is between two
 * has at most one element's. */
static bool too_many_attributes(const char *text, size_t length)
{
    size_t count = 0;
    bool equals = false;
    for (size_t i = 0; i < length && count <= ATTRIBUTES_MAX; i++) {
        char c = text[i];
        count += equals && (c == '\'' || c == '"');
        if (c == '<')
            count = 0;
        equals = c == '=' || (equals && c && strchr(" \t\r\n", c));
    }
    return count > ATTRIBUTES_MAX;
}

static xmlDoc *parse_any(const char *text, size_t length, struct error *err)
{
    bool doctype = false;
    xmlParserCtxt *parser = xmlNewParserCtxt();
    if (!parser)
        abort(); /* memory, as everywhere */
    parser->_private = &doctype;
    parser->sax->internalSubset = refuse_doctype;
    /* No NOENT, DTDLOAD, XINCLUDE or HUGE: libxml2's own limits on depth and
     * on lengths hold. BIG_LINES: line numbers above 65535. */
    xmlDoc *doc =
        xmlCtxtReadMemory(parser, text, (int)length, NULL, "UTF-8",
                          XML_PARSE_NONET | XML_PARSE_NOERROR |
                              XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES);
    if (doctype) {
        xmlFreeDoc(doc);
        doc = NULL;
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "has a DOCTYPE, which domain XML never needs");
        error_remedy(err, "remove the <!DOCTYPE …> and its entities");
    } else if (!doc) {
        refuse_malformed(parser, err);
    }
    xmlFreeParserCtxt(parser);
    return doc;
}

xmlDoc *xml_parse(const char *text, size_t length, struct error *err)
{
    if (length > DOMAIN_TEXT_MAX) {
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "is longer than %d bytes", DOMAIN_TEXT_MAX);
        return NULL;
    }
    if (too_many_attributes(text, length)) {
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "has an element with more than %d attributes",
                   ATTRIBUTES_MAX);
        return NULL;
    }
    pthread_once(&started, xmlInitParser);
    return parse_any(text, length, err);
}

xmlDoc *xml_parse_domain(const char *text, size_t length, struct error *err)
{
    auto_xml_doc xmlDoc *doc = xml_parse(text, length, err);
    if (!doc)
        return NULL;
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (!xml_is(root, "domain")) {
        xml_refuse_fill(err, root, "its root is not libvirt's <domain>");
        return NULL;
    }
    return take_ptr(doc);
}

/* ---- walking ---------------------------------------------------------------- */

bool xml_is(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && !node->ns &&
           (!name || strcmp((const char *)node->name, name) == 0);
}

static xmlNode *first_of(xmlNode *node, const char *name)
{
    while (node && !xml_is(node, name))
        node = node->next;
    return node;
}

xmlNode *xml_child(const xmlNode *node, const char *name)
{
    return node ? first_of(node->children, name) : NULL;
}

xmlNode *xml_next(const xmlNode *node, const char *name)
{
    return first_of(node->next, name);
}

xmlChar *xml_attribute(const xmlNode *node, const char *name)
{
    return node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL;
}

bool xml_attribute_is(const xmlNode *node, const char *name, const char *value)
{
    auto_xml_text xmlChar *text = xml_attribute(node, name);
    return text && strcmp((const char *)text, value) == 0;
}

xmlChar *xml_text(const xmlNode *node)
{
    xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
    if (!text)
        return NULL;
    size_t length = strlen((const char *)text), start = 0;
    while (length && strchr(" \t\r\n", text[length - 1]))
        length--;
    while (start < length && strchr(" \t\r\n", text[start]))
        start++;
    memmove(text, text + start, length - start);
    text[length - start] = '\0';
    return text;
}

/* ---- values ----------------------------------------------------------------- */

bool xml_count(const xmlChar *text, uint64_t max, uint64_t *out)
{
    return text && str_to_u64((const char *)text, 10, max, out);
}

bool xml_number(const xmlChar *text, uint64_t max, uint64_t *out)
{
    const char *digits = (const char *)text;
    if (!digits)
        return false;
    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
        return str_to_u64(digits + 2, 16, max, out);
    if (digits[0] == '0' && digits[1])
        return str_to_u64(digits + 1, 8, max, out);
    return str_to_u64(digits, 10, max, out);
}

/* Bytes of a unit, by libvirt's rules (virScaleInteger): 'b' and 'bytes', a
 * letter or 'KiB' for powers of 1024, 'KB' for those of 1000. 0 = unknown. */
static uint64_t unit_bytes(const char *unit)
{
    if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 ||
        strcasecmp(unit, "bytes") == 0)
        return 1;
    static const char letters[] = "kmgtpe";
    const char *letter = *unit ? strchr(letters, tolower(*unit)) : NULL;
    uint64_t base = 0, bytes = 1;
    if (letter && (!unit[1] || strcasecmp(unit + 1, "iB") == 0))
        base = 1024;
    else if (letter && strcasecmp(unit + 1, "B") == 0)
        base = 1000;
    else
        return 0;
    for (const char *l = letters; l <= letter; l++)
        bytes *= base;
    return bytes;
}

bool xml_scaled_kib(const xmlChar *number, const xmlChar *unit, uint64_t *out)
{
    uint64_t count, scale = 1024, bytes;
    if (!xml_count(number, UINT64_MAX, &count))
        return false;
    if (unit && *unit)
        scale = unit_bytes((const char *)unit);
    if (!scale || __builtin_mul_overflow(count, scale, &bytes))
        return false;
    *out = bytes / 1024 + (bytes % 1024 != 0);
    return true;
}

bool xml_memory_kib(const xmlNode *node, uint64_t *out)
{
    auto_xml_text xmlChar *text = xml_text(node);
    auto_xml_text xmlChar *unit = xml_attribute(node, "unit");
    return xml_scaled_kib(text, unit, out);
}

/* ---- devices ---------------------------------------------------------------- */

bool xml_alias_port(const char *alias, struct uuid *port, bool *vf)
{
    char id[UUID_TEXT_SIZE];
    if (!str_starts(alias, ALIAS_START))
        return false;
    alias += sizeof ALIAS_START - 1;
    if (strlen(alias) < UUID_TEXT_SIZE - 1)
        return false;
    memcpy(id, alias, UUID_TEXT_SIZE - 1);
    id[UUID_TEXT_SIZE - 1] = '\0';
    const char *end = alias + UUID_TEXT_SIZE - 1;
    bool is_vf = strcmp(end, ALIAS_VF_END) == 0;
    if ((*end && !is_vf) || !uuid_parse(id, port))
        return false;
    *vf = is_vf;
    return true;
}

bool xml_device_port(const xmlNode *device, struct uuid *port, bool *vf)
{
    auto_xml_text xmlChar *alias =
        xml_attribute(xml_child(device, "alias"), "name");
    return alias && xml_alias_port((const char *)alias, port, vf);
}

bool xml_is_ours(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && node->ns &&
           strcmp((const char *)node->ns->href, DOMAIN_METADATA_NS) == 0;
}

bool xml_is_pci_hostdev(const xmlNode *device)
{
    return xml_is(device, "hostdev") && xml_attribute_is(device, "type", "pci");
}
