/* SPDX-License-Identifier: Apache-2.0 */
/* Private to scheduler/handlers: what the nouns share. */
#pragma once

#include "api/wire/value.h"
#include "api/wire/wire.h"
#include "scheduler/handlers/handlers.h"

/* ---- jobs -------------------------------------------------------------------- */

/* A job that answers a request; the first member of a handler's own struct. */
struct api_job {
    struct job job;
    struct api *api;
    struct http_request *request;
};
/* Hand the request to the writer. A full queue answers through job->answer with
 * BUSY. The job is zeroed new memory with run and answer set; without an actor
 * it gets the request's. */
void api_submit(struct api *api, struct http_request *request,
                enum service_lane lane, struct api_job *job);
/* The same for a request that is deferred already. */
void api_submit_deferred(struct api *api, struct http_request *request,
                         enum service_lane lane, struct api_job *job);
/* Read a report on the reader's thread: an item that agents.c submitted. */
void api_read_report(void *item);

/* ---- reading requests ----------------------------------------------------------- */

/* Answers INVALID etc. and returns NULL, or the body. */
const json_t *api_body(struct http_request *request);
#define API_LIMIT_DEFAULT 100
#define API_LIMIT_MAX 1000
/* 'limit' and 'marker'; -1 = INVALID, naming the parameter. *marker may be
 * NULL. */
int api_page(const struct http_request *request, size_t *limit,
             const char **marker, struct error *err);
/* A whole number in the query; 'out' untouched if not given. */
int api_query_u64(const struct http_request *request, const char *name,
                  uint64_t max, uint64_t *out, struct error *err);
/* true/false in the query. */
int api_query_bool(const struct http_request *request, const char *name,
                   bool *out, struct error *err);
/* 'kind' in the query: what the devices are. *given false if there is none. */
int api_query_kind(const struct http_request *request, bool *given,
                   enum device_kind *kind, struct error *err);
/* The generation that If-Match asks for: *given false if there is none or it is
 * "*". */
int api_if_match(const struct http_request *request, bool *given,
                 uint64_t *generation, struct error *err);
/* The same together with a body's member "generation": both must agree. */
int api_generation(const struct http_request *request, bool in_body,
                   uint64_t body_generation, bool *given, uint64_t *generation,
                   struct error *err);
/* The host of the path, or NULL + NOT_FOUND naming it. */
const struct host_view *api_host(const struct snapshot *snapshot,
                                 const char *name, struct error *err);

/* The VM of this id or name, or NULL + NOT_FOUND. */
const struct vm *api_vm(const struct snapshot *snapshot, const char *text,
                        struct error *err);

/* The name of the path's host (given by name or machine-id); -1 + NOT_FOUND. */
int api_host_name(struct api *api, const struct http_request *request,
                  char name[NAME_SIZE], struct error *err);

/* ---- answering -------------------------------------------------------------------- */

/* A problem document; where 'err' has no remedy, the usual one of its code.
 * 'extra' (taken, may be NULL) is merged in. */
void api_problem(struct http_request *request, const struct error *err,
                 json_t *extra);
void api_error(struct http_request *request, const struct error *err);
/* The same; NO_VALID_HOST with its reasons (NULL = there are none). */
void api_unplaced(struct http_request *request, const struct error *err,
                  const struct placement_reasons *reasons);
/* The VM with its ETag. */
void api_answer_vm(struct http_request *request, int status,
                   const struct snapshot *snapshot, const struct vm *vm);
/* A body with ETag "GENERATION" and, if not NULL, Location. */
void api_answer(struct http_request *request, int status, json_t *body,
                uint64_t generation, const char *location);
/* The same with the body as text, which is taken. */
void api_answer_text(struct http_request *request, int status, struct str *body,
                     uint64_t generation, const char *location);
/* A list written item by item into 'out': begin, items (count them), answer. */
struct api_list {
    struct str text;
    struct json_out out; /* writes into 'text': do not move the struct */
    size_t count;
};
void api_list_begin(struct api_list *list);
void api_list_answer(struct http_request *request, struct api_list *list,
                     const char *marker);
/* {"items": […], "next_marker": …}; 'items' is taken, 'marker' NULL = the
 * end. */
void api_answer_list(struct http_request *request, json_t *items,
                     const char *marker);

/* ---- views: how nouns look to clients ------------------------------------------------ */

json_t *view_host(const struct host_view *host);
/* The worst of a host's readiness checks; UNKNOWN where its agent tells none. */
enum check_status view_readiness_status(const struct host_view *host);
/* {"status", "not_ok": [names of the checks that are not ok]} */
json_t *view_readiness_summary(const struct host_view *host);
/* VFs that could be claimed: free, on a PF that may be used. */
size_t view_free_vfs(const struct host_view *host, const struct pf *pf);
/* The PF as reported, with the operator's settings and how far they are, its
 * capabilities with the operator's word, and counts of its VFs. */
json_t *view_pf(const struct snapshot *snapshot, const struct host_view *host,
                const struct pf *pf, bool with_vfs);
/* How far the host is with what its agent carries out of a PF's settings; an
 * older generation's phase says nothing of this one. PF_PHASE_MAX: nothing is
 * set. */
enum pf_phase view_pf_phase(const struct host_view *host,
                            const struct pf_key *key);
json_t *view_vf(const struct snapshot *snapshot, const struct host_view *host,
                const struct pf *pf, const struct vf *vf);
/* The state of a VF: as reported, overlaid with our claims. */
enum vf_state view_vf_state(const struct snapshot *snapshot,
                            const struct host_view *host, const struct pf *pf,
                            const struct vf *vf);
/* 'planned': a dry run, nothing will be applied. Lists are without the text of
 * its domain. */
void view_vm(struct json_out *out, const struct snapshot *snapshot,
             const struct vm *vm, bool planned);
/* The same as the text of an answer's body. */
struct str view_vm_text(const struct snapshot *snapshot, const struct vm *vm,
                        bool planned);
/* A port or device alone, with its VM. */
void view_port(struct json_out *out, const struct snapshot *snapshot,
               const struct vm *vm, const struct port *port);
/* The agent's word on a port, if it is about the port as it is wanted now. */
const struct observed_port *view_port_report(const struct host_view *host,
                                             const struct port *port);
/* Why a port is degraded: by its record, or as its agent sees its way now; NULL
 * = it is not. Borrowed from the snapshot. */
const char *view_degraded(const struct host_view *host,
                          const struct port *port);
/* PolicyApplied of a VM: the worst of its ports; and of one port or device. */
struct condition view_policy_applied(const struct snapshot *snapshot,
                                     const struct vm *vm, bool planned);
struct condition view_port_applied(const struct host_view *host,
                                   const struct port *port);
/* Running: of VMs that are not of lifecycle host. */
struct condition view_running(const struct snapshot *snapshot,
                              const struct vm *vm, bool planned);
/* PathReady of a VM: the worst of its ports; false: it has none. And of one. */
bool view_path_ready(const struct snapshot *snapshot, const struct vm *vm,
                     bool planned, struct condition *out);
struct condition view_port_path(const struct host_view *host,
                                const struct port *port);
/* libvirt's domain XML for one port or device, or NULL where nothing can be attached.
 * New text. */
char *libvirt_xml(const struct host_view *host, const struct port *port);

/* ---- the handlers of routes.c ----------------------------------------------------------- */
#define HANDLER(name) void name(void *context, struct http_request *request)
HANDLER(handle_hosts_list);
HANDLER(handle_hosts_enroll);
HANDLER(handle_host_show);
HANDLER(handle_host_patch);
HANDLER(handle_host_delete);
HANDLER(handle_host_readiness);
HANDLER(handle_pfs_list);
HANDLER(handle_pf_show);
HANDLER(handle_pf_patch);
HANDLER(handle_vfs_list);
HANDLER(handle_vms_list);
HANDLER(handle_vm_create);
HANDLER(handle_vm_show);
HANDLER(handle_vm_patch);
HANDLER(handle_vm_delete);
HANDLER(handle_ports_list);
HANDLER(handle_port_show);
HANDLER(handle_port_accelerate);
HANDLER(handle_port_decelerate);
HANDLER(handle_events);
HANDLER(handle_agent_desired);
HANDLER(handle_agent_observed);
HANDLER(handle_tokens_list);
HANDLER(handle_token_create);
HANDLER(handle_token_delete);
HANDLER(handle_healthz);
HANDLER(handle_readyz);
HANDLER(handle_metrics);
HANDLER(handle_version);
HANDLER(handle_openapi);

/* ---- counting ------------------------------------------------------------------------------ */
void count_init(void);
/* Ports whose policy could not be applied, by field; the last: no field. */
void count_policy_failures(const unsigned failures[POLICY_FIELD_MAX + 1]);
/* One placement: how long it took, and the reasons if it failed (NULL: it did
 * not). */
void count_placement(double seconds, const struct placement_reasons *reasons);
