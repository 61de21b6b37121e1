/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a VM, as the scheduler reads it from its store. */
#include "tests/fuzz/fuzz.h"

FUZZ_OBJECT(struct vm, wire_vm_read, wire_vm_record);
