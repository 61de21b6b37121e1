/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of domain_define(). */
#pragma once

#include <libxml/tree.h>

#include <stddef.h>

/* Puts so many pcie-root-ports into a q35 domain that, after libvirt gave every
 * device without an address one of them, 'plugs' devices can be hot-plugged and
 * the one more that libvirt itself leaves free. Nothing for another machine. */
void domain_add_root_ports(xmlNode *root, xmlNode *devices, size_t plugs);
