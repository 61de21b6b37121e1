/* SPDX-License-Identifier: Apache-2.0 */
/* JSON <-> model, one pair of functions per noun, for REST, the store, the
 * agents' documents and the agent's state file. Strictness is the caller's
 * choice: requests of clients are read strict (an unknown member is
 * ERROR_UNKNOWN_FIELD), documents and stored records lenient.
 *
 * Errors name the member: field "ports[0].policy.vlan", with the value, the
 * allowed range and what to do. Returned json_t are new references; returned
 * objects are new references (count 1). wire_put_X writes an X member by
 * member, as text or into a tree (json_out.h): what is stored or answered for
 * each claim is written so, the rest as trees. Threads: any.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/json_out.h"
#include "common/model/document.h"
#include "common/model/vm.h"

/* ---- small values -------------------------------------------------------- */
json_t *wire_timestamp(int64_t ns);         /* 0 = null */
json_t *wire_uuid(const struct uuid *uuid); /* zero = null */

/* ---- policy, capabilities -------------------------------------------------- */
json_t *wire_policy(const struct policy *policy); /* the set fields only */
void wire_put_policy(struct json_out *out, const char *name,
                     const struct policy *policy);
/* Range and consistency are checked (policy_check). 'path' prefixes fields. */
int wire_policy_read(const json_t *value, const char *path, bool strict,
                     struct policy *out, struct error *err);
/* What a kernel told, in a state file or report: every value that the struct
 * holds, unchecked (another program may have set VLAN 4095); unknown members
 * are ignored. */
int wire_readback_read(const json_t *value, const char *path,
                       struct policy *out, struct error *err);
/* {"vlan": {"support": "supported", "source": "probed", "needs": [], "max":
 *  4094, "note": ""}, …} for every field and every trait. */
json_t *wire_capabilities(const struct capabilities *capabilities);
int wire_capabilities_read(const json_t *value, struct capabilities *out,
                           struct error *err);

/* ---- inventory -------------------------------------------------------------- */
json_t *wire_vf(const struct pf *pf, const struct vf *vf);
json_t *wire_pf(const struct pf *pf, bool with_vfs);
json_t *wire_inventory(const struct inventory *inventory); /* all of it */
struct pf *wire_pf_read(const json_t *value, struct error *err);
struct inventory *wire_inventory_read(const json_t *value, struct error *err);
json_t *wire_network(const struct network *network);
json_t *wire_checks(const struct inventory *inventory); /* readiness */

/* ---- VMs and hosts ----------------------------------------------------------
 * wire_X and wire_put_X are what clients get (DESIGN.md section 6; handlers add what they know
 * more, such as conditions): no secrets, times to the millisecond.
 * wire_X_record, wire_put_X_record are what the store keeps: every member, also hashes and the
 * idempotency key, times exact. wire_X_read takes either; from a record it
 * gives back an equal object. */
json_t *wire_claim(const struct claim *claim);
void wire_put_claim(struct json_out *out, const char *name,
                    const struct claim *claim);
/* The members of a VM, for the caller's object; 'more' (NULL = none) adds its
 * own at the end of each port and device, and may know why a port is degraded
 * that by the record is not (NULL: it is not; borrowed). */
struct wire_port_more {
    void (*put)(void *context, struct json_out *out, const struct port *port);
    const char *(*degraded)(void *context, const struct port *port);
    void *context;
};
void wire_put_vm(struct json_out *out, const struct vm *vm,
                 const struct wire_port_more *more);
/* One port or device alone, the same members. */
void wire_put_port(struct json_out *out, const struct port *port,
                   const struct wire_port_more *more);
void wire_put_vm_record(struct json_out *out, const struct vm *vm);
struct vm *wire_vm_read(const json_t *value, struct error *err);
/* A port's "require" {"vendor_id", "device_id", "capabilities": [field …]};
 * absent ids give 0, absent capabilities no bits. */
int wire_require_read(const json_t *value, const char *path, bool strict,
                      uint16_t *vendor_id, uint16_t *device_id,
                      uint32_t *capabilities, struct error *err);
/* The members of a PF's settings put into 'object'. */
void wire_pf_setting(json_t *object, const struct pf_setting *setting);
json_t *wire_host(const struct host *host);
json_t *wire_host_record(const struct host *host);
struct host *wire_host_read(const json_t *value, struct error *err);
json_t *wire_token(const struct token *token);
json_t *wire_token_record(const struct token *token);
struct token *wire_token_read(const json_t *value, struct error *err);
json_t *wire_cluster(const struct cluster *cluster); /* also its record */
struct cluster *wire_cluster_read(const json_t *value, struct error *err);
void wire_put_event(struct json_out *out, const struct event *event);
void wire_put_event_record(struct json_out *out, const struct event *event);
struct event *wire_event_read(const json_t *value, struct error *err);
json_t *wire_condition(const struct condition *condition);
void wire_put_condition(struct json_out *out, const char *name,
                        const struct condition *condition);

/* ---- documents --------------------------------------------------------------- */
json_t *wire_desired(const struct desired *desired);
struct desired *wire_desired_read(const json_t *value, struct error *err);
json_t *wire_observed(const struct observed *observed);
/* Unknown members are ignored and counted into *unknown (may be NULL). */
struct observed *wire_observed_read(const json_t *value, size_t *unknown,
                                    struct error *err);

/* ---- problem documents (RFC 9457) --------------------------------------------- */
/* {"type","title","status","code","detail","field"?,"remedy"?,"request_id"} */
json_t *wire_problem(const struct error *err, const char *request_id);
/* Back into an error, for clients; always fills 'err'. */
void wire_problem_read(const json_t *value, int status, struct error *err);
