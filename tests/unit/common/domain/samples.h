/* SPDX-License-Identifier: Apache-2.0 */
/* Domain XML as libvirt and its users write it. */
#pragma once

#include "common/base/file.h"
#include "common/base/mem.h"

#include <check.h>
#include <fcntl.h>

#define SAMPLE_VM "01890a5d-ac96-774b-bcce-b302099a8001"
#define SAMPLE_P1 "01890a5d-ac96-774b-bcce-b302099a8011"
#define SAMPLE_MAX 65536
#define SAMPLE_P2 "01890a5d-ac96-774b-bcce-b302099a8012"

/* The least that a VM can be made of. */
static const char sample_least[] =
    "<domain type='kvm'><os><type machine='q35'>hvm</type></os></domain>";

/* client.xml: what a client gives. live.xml: what libvirt tells of a running
 * guest. The text of such a file; tests run in the folder of the project. */
static inline char *sample(const char *name)
{
    auto_free char *path = mem_printf("tests/unit/common/domain/%s.xml", name);
    char *text = file_read(AT_FDCWD, path, SAMPLE_MAX, NULL, NULL);
    ck_assert_msg(text, "read %s", path);
    return text;
}
