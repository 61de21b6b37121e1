/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a VM, as the scheduler reads it from its store. */
#include "tests/fuzz/fuzz.h"

static json_t *record_of(const struct vm *vm)
{
    struct json_out out = {0};
    wire_put_vm_record(&out, vm);
    return out.tree;
}

FUZZ_OBJECT(struct vm, wire_vm_read, record_of);
