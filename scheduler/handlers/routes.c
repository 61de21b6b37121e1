/* SPDX-License-Identifier: Apache-2.0 */
/* The route table: tests/lint/routes.sh holds it against openapi.yaml, one
 * route a line. The role is the least that may call (ROLE_NONE: anybody). */
#include "scheduler/handlers/api.h"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* clang-format off */
const struct http_route handlers_routes[] = {
    {HTTP_GET,    "/v1/hosts",                     ROLE_VIEWER,   "limit marker",                         0,       handle_hosts_list},
    {HTTP_POST,   "/v1/hosts",                     ROLE_ADMIN,    "",                                     KIB(64), handle_hosts_enroll},
    {HTTP_GET,    "/v1/hosts/{host}",              ROLE_VIEWER,   "",                                     0,       handle_host_show},
    {HTTP_PATCH,  "/v1/hosts/{host}",              ROLE_OPERATOR, "",                                     KIB(64), handle_host_patch},
    {HTTP_DELETE, "/v1/hosts/{host}",              ROLE_OPERATOR, "",                                     0,       handle_host_delete},
    {HTTP_GET,    "/v1/hosts/{host}/readiness",    ROLE_VIEWER,   "",                                     0,       handle_host_readiness},
    {HTTP_GET,    "/v1/pfs",                       ROLE_VIEWER,   "limit marker host kind driver vendor_id", 0,       handle_pfs_list},
    {HTTP_GET,    "/v1/hosts/{host}/pfs/{pf}",     ROLE_VIEWER,   "",                                     0,       handle_pf_show},
    {HTTP_PATCH,  "/v1/hosts/{host}/pfs/{pf}",     ROLE_OPERATOR, "",                                     KIB(64), handle_pf_patch},
    {HTTP_GET,    "/v1/vfs",                       ROLE_VIEWER,   "limit marker host pf state kind",      0,       handle_vfs_list},
    {HTTP_GET,    "/v1/vms",                       ROLE_VIEWER,   "limit marker host",                    0,       handle_vms_list},
    {HTTP_POST,   "/v1/vms",                       ROLE_OPERATOR, "dry_run",                              KIB(128), handle_vm_create},
    {HTTP_GET,    "/v1/vms/{vm}",                  ROLE_VIEWER,   "",                                     0,       handle_vm_show},
    {HTTP_PATCH,  "/v1/vms/{vm}",                  ROLE_OPERATOR, "",                                     KIB(64), handle_vm_patch},
    {HTTP_DELETE, "/v1/vms/{vm}",                  ROLE_OPERATOR, "",                                     0,       handle_vm_delete},
    {HTTP_GET,    "/v1/ports",                     ROLE_VIEWER,   "limit marker host vm",                 0,       handle_ports_list},
    {HTTP_GET,    "/v1/ports/{port}",              ROLE_VIEWER,   "",                                     0,       handle_port_show},
    {HTTP_POST,   "/v1/ports/{port}/accelerate",   ROLE_OPERATOR, "",                                     0,       handle_port_accelerate},
    {HTTP_POST,   "/v1/ports/{port}/decelerate",   ROLE_OPERATOR, "",                                     0,       handle_port_decelerate},
    {HTTP_GET,    "/v1/events",                    ROLE_VIEWER,   "after limit",                          0,       handle_events},
    {HTTP_GET,    "/v1/agents/{host}/desired",     ROLE_AGENT,    "after",                                0,       handle_agent_desired},
    {HTTP_PUT,    "/v1/agents/{host}/observed",    ROLE_AGENT,    "",                                     MIB(8),  handle_agent_observed},
    {HTTP_GET,    "/v1/tokens",                    ROLE_ADMIN,    "limit marker",                         0,       handle_tokens_list},
    {HTTP_POST,   "/v1/tokens",                    ROLE_ADMIN,    "",                                     KIB(64), handle_token_create},
    {HTTP_DELETE, "/v1/tokens/{token}",            ROLE_ADMIN,    "",                                     0,       handle_token_delete},
    {HTTP_GET,    "/healthz",                      ROLE_NONE,     "",                                     0,       handle_healthz},
    {HTTP_GET,    "/readyz",                       ROLE_NONE,     "",                                     0,       handle_readyz},
    {HTTP_GET,    "/metrics",                      ROLE_NONE,     "",                                     0,       handle_metrics},
    {HTTP_GET,    "/version",                      ROLE_NONE,     "",                                     0,       handle_version},
    {HTTP_GET,    "/openapi.yaml",                 ROLE_NONE,     "",                                     0,       handle_openapi},
};
/* clang-format on */
const size_t handlers_route_count =
    sizeof handlers_routes / sizeof *handlers_routes;
