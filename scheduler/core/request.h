/* SPDX-License-Identifier: Apache-2.0 */
/* A request for a VM, checked and turned into what placement asks for. */
#pragma once

#include "scheduler/core/placement.h"

/* The request alone: ranges, names, policies, ports against each other.
 * Errors: INVALID or UNSUPPORTED with the field. */
int vm_request_check(const struct vm_request *request, struct error *err);
/* Where a port is in the request's JSON: "ports[0]", "devices[0]". */
#define MEMBER_PATH_SIZE 24
const char *request_member(const struct vm_request *request, size_t port,
                           char path[MEMBER_PATH_SIZE]);
/* Its port's name: as given, else "ethN", a device's "devN". */
void request_port_name(const struct vm_request *request, size_t port,
                       char name[NAME_SIZE]);
/* What placement is to look for. Ports without a given MAC have a zero one:
 * the caller fills in mac and policy.mac, and what depends on other VMs. */
void request_want(const struct vm_request *request, struct want *want);
