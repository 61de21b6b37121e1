/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of sriov-admin pf …, one file each. */
#pragma once

#include "cli/cli.h"

/* The PF's members as a table of everything, or whole as JSON or YAML. */
int pf_print(const struct cli *cli, const json_t *pf);

int pf_run_capabilities(struct cli *cli); /* pf_capabilities.c */
int pf_run_set(struct cli *cli);          /* pf_set.c */
/* The body of the PATCH that the options of 'pf set' ask for, a new reference;
 * NULL after printing what is wrong with them. */
json_t *pf_request_of_options(const struct cli *cli);
