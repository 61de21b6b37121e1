/* SPDX-License-Identifier: Apache-2.0 */
/* Carries out what agent/core decides: one call to the host or the disk for each
 * action. */
#define LOG_MODULE "agent"
#include "agent/agent.h"

#include "agent/internal.h"
#include "common/base/log.h"

#include <string.h>

static int save(struct agent *agent, struct error *err)
{
    const struct agent_state_ops *ops = agent->config.state_ops;
    int status = ops->save(agent->config.state_context,
                           reconcile_state(agent->core), err);
    if (status < 0 && !agent->save_failing)
        log_failure(LOG_MODULE, LOG_ERROR,
                    "save the agent's state; no VF is touched until it works",
                    err);
    if (status == 0 && agent->save_failing)
        log_info("the agent's state is saved again");
    agent->save_failing = status < 0;
    return status;
}

static const char *action_name(enum action_kind kind)
{
    static const char *const names[] = {[ACTION_SAVE] = "save",
                                        [ACTION_READ] = "read",
                                        [ACTION_WRITE] = "write",
                                        [ACTION_RESET] = "reset",
                                        [ACTION_HOLD] = "hold",
                                        [ACTION_LET_GO] = "let go",
                                        [ACTION_HELD] = "held?",
                                        [ACTION_PF_SET] = "set",
                                        [ACTION_ORDER] = "order",
                                        [ACTION_EVIDENCE] = "in use?",
                                        [ACTION_ANNOUNCE] = "announce",
                                        [ACTION_LEARNING] = "learns?",
                                        [ACTION_LEARNING_OFF] = "learning off",
                                        [ACTION_TAP_VLAN] = "tap VLAN",
                                        [ACTION_TAP_READ] = "read tap"};
    return names[kind];
}

/* What libvirt is told is of interest to people, once it has ended. */
static void log_order(const struct agent *agent, const struct action *action,
                      int status, const struct error *err)
{
    static const char *const names[DOMAIN_ORDER_MAX] = {
        "define",   "start", "shut down", "destroy",
        "undefine", "plug",  "unplug"};
    char id[UUID_TEXT_SIZE];
    const char *name = names[action->order.kind];
    uuid_format(&action->order.domain, id);
    if (status < 0)
        log_warning("%s domain=%s host=%s: %s", name, id, agent->name,
                    err->msg);
    else if (status == 0)
        log_info("%s domain=%s host=%s: done", name, id, agent->name);
}

/* What a port's way needs of the host. */
static int carry_out_way(struct host_backend *host, const struct action *action,
                         struct action_result *result)
{
    const struct host_ops *ops = host->ops;
    struct error *err = &result->err;
    switch (action->kind) {
    case ACTION_EVIDENCE:
        return ops->vf_evidence(host, &action->pf, action->vf_index,
                                &result->evidence, err);
    case ACTION_ANNOUNCE:
        return ops->announce(host, action->netdev, &action->policy.mac,
                             action->policy.vlan, err);
    case ACTION_LEARNING:
        return ops->learning_read(host, action->netdev, &result->learns, err);
    case ACTION_LEARNING_OFF:
        return ops->learning_set(host, action->netdev, false, err);
    case ACTION_TAP_VLAN:
        return ops->tap_vlan(host, action->bridge, action->netdev,
                             action->policy.vlan, err);
    case ACTION_TAP_READ:
        return ops->tap_read(host, &action->order.domain, action->netdev,
                             &result->policy, err);
    case ACTION_SAVE:
    case ACTION_READ:
    case ACTION_WRITE:
    case ACTION_RESET:
    case ACTION_HOLD:
    case ACTION_LET_GO:
    case ACTION_HELD:
    case ACTION_PF_SET:
    case ACTION_ORDER:
        break;
    }
    return error_set(err, ERROR_UNSUPPORTED, "this is not of a way");
}

void carry_out(struct agent *agent, const struct action *action,
               struct action_result *result)
{
    struct host_backend *host = agent->config.host;
    const struct host_ops *ops = host->ops;
    struct error *err = &result->err;
    int status = -1;
    switch (action->kind) {
    case ACTION_SAVE:
        status = save(agent, err);
        break;
    case ACTION_READ:
        status = ops->vf_read(host, &action->pf, action->vf_index,
                              &result->policy, err);
        if (status < 0 && err->code == ERROR_UNSUPPORTED) {
            /* The driver tells nothing of its VFs. */
            memset(&result->policy, 0, sizeof result->policy);
            status = 0;
        }
        break;
    case ACTION_WRITE:
        status = ops->vf_write(host, &action->pf, action->vf_index,
                               &action->policy, action->fields, err);
        break;
    case ACTION_RESET:
        status = ops->vf_reset(host, &action->pf, action->vf_index, err);
        break;
    case ACTION_HOLD:
    case ACTION_LET_GO:
        status = ops->mac_hold(host, &action->pf, &action->policy.mac,
                               action->kind == ACTION_HOLD, err);
        break;
    case ACTION_HELD:
        status = ops->mac_held(host, &action->pf, &action->policy.mac,
                               &result->held, err);
        break;
    case ACTION_PF_SET:
        status = ops->pf_set(host, &action->pf, &action->target, err);
        result->pending = status == 1;
        break;
    case ACTION_ORDER:
        status = ops->domain_order(host, &action->order, err);
        result->pending = status == 1;
        log_order(agent, action, status, err);
        break;
    case ACTION_EVIDENCE:
    case ACTION_ANNOUNCE:
    case ACTION_LEARNING:
    case ACTION_LEARNING_OFF:
    case ACTION_TAP_VLAN:
    case ACTION_TAP_READ:
        status = carry_out_way(host, action, result);
        break;
    }
    result->failed = status < 0;
    if (action->kind != ACTION_SAVE)
        log_debug("%s host=%s pf=%s vf=%u: %s", action_name(action->kind),
                  agent->name, action->pf.text, action->vf_index,
                  result->failed ? err->msg : "ok");
}
