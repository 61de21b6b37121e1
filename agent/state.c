/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's durable state as a JSON file: see state.h. */
#include "agent/state.h"

#include "agent/state_json.h"
#include "api/wire/wire.h"
#include "common/base/file.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define FORMAT_VERSION 1
#define FILE_LIMIT (64u * 1024 * 1024)
#define MANAGED_LIMIT ((size_t)HOST_PFS_MAX * PF_VFS_MAX)

struct state_file {
    char *path;
    int lock_fd;
};

/* ---- writing ------------------------------------------------------------------- */

json_t *state_revision_value(const struct revision *revision)
{
    char text[REVISION_TEXT_SIZE];
    return json_string(revision_format(revision, text));
}

static json_t *managed_value(const struct managed *m)
{
    json_t *object = json_object();
    json_object_set_new(object, "port", wire_uuid(&m->port));
    json_object_set_new(object, "vm", wire_uuid(&m->vm));
    json_object_set_new(
        object, "phase",
        json_string(managed_phase_name((enum managed_phase)m->phase)));
    json_object_set_new(object, "unknown", json_boolean(m->unknown));
    json_object_set_new(object, "revision", state_revision_value(&m->revision));
    json_object_set_new(object, "claim", wire_claim(&m->claim));
    json_object_set_new(object, "device", json_boolean(m->device));
    json_object_set_new(object, "driver", json_string(m->driver));
    json_object_set_new(object, "policy", wire_policy(&m->policy));
    json_object_set_new(object, "baseline", wire_policy(&m->baseline));
    json_object_set_new(object, "condition", wire_condition(&m->condition));
    return object;
}

static json_t *probed_value(const struct probed *probed)
{
    json_t *object = json_object();
    json_object_set_new(object, "key", json_string(probed->key));
    json_object_set_new(object, "link_up", json_boolean(probed->link_up));
    json_object_set_new(object, "speed_mbps",
                        json_integer((json_int_t)probed->speed_mbps));
    json_object_set_new(object, "complete", json_boolean(probed->complete));
    json_object_set_new(object, "at", wire_timestamp(probed->at));
    json_object_set_new(object, "capabilities",
                        wire_capabilities(&probed->capabilities));
    return object;
}

char *state_text(const struct agent_state *state, bool pretty)
{
    auto_json json_t *root = json_object();
    json_object_set_new(root, "version", json_integer(FORMAT_VERSION));
    json_object_set_new(root, "cluster_id", wire_uuid(&state->cluster_id));
    json_object_set_new(root, "adopt", wire_uuid(&state->adopt));
    json_object_set_new(root, "accepted",
                        state_revision_value(&state->accepted));
    json_object_set_new(root, "heard_boot", wire_uuid(&state->heard_boot));
    json_object_set_new(root, "incarnation",
                        json_integer((json_int_t)state->incarnation));
    json_t *managed = json_array(), *probed = json_array();
    for (size_t i = 0; i < state->managed_count; i++)
        json_array_append_new(managed, managed_value(&state->managed[i]));
    for (size_t i = 0; i < state->probed_count; i++)
        json_array_append_new(probed, probed_value(&state->probed[i]));
    json_object_set_new(root, "managed", managed);
    json_object_set_new(root, "probed", probed);
    json_object_set_new(root, "pf_changes", state_changes_value(state));
    json_object_set_new(root, "vms", state_vms_value(state));
    json_object_set_new(root, "holds", state_holds_value(state));
    return pretty ? json_dumps(root, JSON_INDENT(2)) : json_text(root);
}

/* ---- reading --------------------------------------------------------------------- */

bool state_take_uuid(struct json_reader *reader, const char *name,
                     struct uuid *out)
{
    const char *text = NULL;
    if (!json_take_text(reader, name, false, &text))
        return false; /* null: zero */
    if (!uuid_parse(text, out))
        json_reader_fail(reader, name, "not a UUID: '%s'", text);
    return !reader->failed;
}

void state_take_revision(struct json_reader *reader, const char *name,
                         struct revision *out)
{
    const char *text = NULL;
    if (json_take_text(reader, name, true, &text) && !revision_parse(text, out))
        json_reader_fail(reader, name, "not EPOCH.REVISION: '%s'", text);
}

void state_take_time(struct json_reader *reader, const char *name, int64_t *out)
{
    const char *text = NULL;
    if (json_take_text(reader, name, false, &text) &&
        !timestamp_parse(text, out))
        json_reader_fail(reader, name, "not a time: '%s'", text);
}

/* "0x8086" or null. */
static void take_hex16(struct json_reader *reader, const char *name,
                       uint16_t *out)
{
    const char *text = NULL;
    uint64_t number = 0;
    if (!json_take_text(reader, name, false, &text))
        return;
    if (!str_to_u64(str_starts(text, "0x") ? text + 2 : text, 16, UINT16_MAX,
                    &number))
        json_reader_fail(reader, name, "not a PCI id: '%s'", text);
    *out = (uint16_t)number;
}

static int read_claim(const json_t *value, struct claim *claim,
                      struct error *err)
{
    struct json_reader reader;
    const char *pf = NULL, *vf = NULL;
    uint64_t index = CLAIM_WHOLE_PF, rate = 0;
    int64_t numa = -1;
    json_reader_begin(&reader, value, "claim", err);
    if (json_take_text(&reader, "pf", true, &pf) &&
        !pf_key_parse(pf, &claim->pf))
        json_reader_fail(&reader, "pf", "not a PF: '%s'", pf);
    json_take_u64(&reader, "vf_index", false, 0, PF_VFS_MAX - 1, &index);
    json_take_i64(&reader, "numa_node", false, -1, INT32_MAX, &numa);
    json_take_u64(&reader, "min_tx_rate_mbps", false, 0, UINT32_MAX, &rate);
    take_hex16(&reader, "vendor_id", &claim->vendor_id);
    take_hex16(&reader, "device_id", &claim->device_id);
    if (json_take_text(&reader, "vf", false, &vf)) {
        claim->has_address = pci_parse(vf, &claim->address);
        if (!claim->has_address)
            json_reader_fail(&reader, "vf", "not a PCI address: '%s'", vf);
    }
    claim->vf_index = (uint16_t)index;
    claim->numa_node = (int32_t)numa;
    claim->min_tx_rate_mbps = (uint32_t)rate;
    return json_reader_end(&reader, false, NULL);
}

int state_read_condition(const json_t *value, struct condition *condition,
                         struct error *err)
{
    struct json_reader reader;
    const char *status = NULL;
    json_reader_begin(&reader, value, "condition", err);
    json_take_copy(&reader, "type", false, condition->type,
                   sizeof condition->type);
    json_take_copy(&reader, "reason", false, condition->reason,
                   sizeof condition->reason);
    json_take_copy(&reader, "field", false, condition->field,
                   sizeof condition->field);
    json_take_copy(&reader, "message", false, condition->message,
                   sizeof condition->message);
    state_take_time(&reader, "at", &condition->at);
    if (json_take_text(&reader, "status", false, &status)) {
        condition->status = (uint8_t)condition_status_parse(status);
        if (condition->status == CONDITION_STATUS_MAX)
            json_reader_fail(&reader, "status", "unknown: '%s'", status);
    }
    return json_reader_end(&reader, false, NULL);
}

static int read_managed(const json_t *value, const char *path,
                        struct managed *m, struct error *err)
{
    struct json_reader reader;
    const json_t *claim = NULL, *policy = NULL, *condition = NULL;
    const json_t *baseline = NULL;
    const char *phase = NULL;
    json_reader_begin(&reader, value, path, err);
    state_take_uuid(&reader, "port", &m->port);
    state_take_uuid(&reader, "vm", &m->vm);
    state_take_revision(&reader, "revision", &m->revision);
    json_take_bool(&reader, "unknown", true, &m->unknown);
    json_take_bool(&reader, "device", false, &m->device);
    json_take_copy(&reader, "driver", false, m->driver, sizeof m->driver);
    json_take_object(&reader, "claim", true, &claim);
    json_take_object(&reader, "policy", true, &policy);
    json_take_object(&reader, "condition", true, &condition);
    if (json_take_text(&reader, "phase", true, &phase)) {
        m->phase = (uint8_t)managed_phase_parse(phase);
        if (m->phase == MANAGED_PHASE_MAX)
            json_reader_fail(&reader, "phase", "unknown: '%s'", phase);
    }
    json_take_object(&reader, "baseline", true, &baseline);

    if (json_reader_end(&reader, false, NULL) < 0 ||
        read_claim(claim, &m->claim, err) < 0 ||
        wire_readback_read(policy, "policy", &m->policy, err) < 0 ||
        wire_readback_read(baseline, "baseline", &m->baseline, err) < 0 ||
        state_read_condition(condition, &m->condition, err) < 0)
        return -1;
    return 0;
}

static int read_probed(const json_t *value, const char *path,
                       struct probed *probed, struct error *err)
{
    struct json_reader reader;
    const json_t *capabilities = NULL;
    uint64_t speed = 0;
    json_reader_begin(&reader, value, path, err);
    json_take_copy(&reader, "key", true, probed->key, sizeof probed->key);
    json_take_bool(&reader, "link_up", true, &probed->link_up);
    json_take_u64(&reader, "speed_mbps", false, 0, UINT32_MAX, &speed);
    json_take_bool(&reader, "complete", true, &probed->complete);
    state_take_time(&reader, "at", &probed->at);
    json_take_object(&reader, "capabilities", true, &capabilities);
    if (json_reader_end(&reader, false, NULL) < 0)
        return -1;
    probed->speed_mbps = (uint32_t)speed;
    return wire_capabilities_read(capabilities, &probed->capabilities, err);
}

static int read_lists(const json_t *managed, const json_t *probed,
                      struct agent_state *state, struct error *err)
{
    size_t count = json_array_size(managed);
    if (count)
        state->managed = mem_calloc(count, sizeof *state->managed);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "managed[%zu]", i);
        if (read_managed(json_array_get(managed, i), path, &state->managed[i],
                         err) < 0)
            return -1;
        state->managed_count++;
    }
    count = json_array_size(probed);
    if (count)
        state->probed = mem_calloc(count, sizeof *state->probed);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "probed[%zu]", i);
        if (read_probed(json_array_get(probed, i), path, &state->probed[i],
                        err) < 0)
            return -1;
        state->probed_count++;
    }
    return 0;
}

static int read_root(const json_t *root, struct agent_state *state,
                     struct error *err)
{
    struct json_reader reader;
    const json_t *managed = NULL, *probed = NULL, *changes = NULL;
    const json_t *vms = NULL, *holds = NULL;
    uint64_t version = 0;
    json_reader_begin(&reader, root, "", err);
    json_take_u64(&reader, "version", true, 1, UINT32_MAX, &version);
    if (!reader.failed && version > FORMAT_VERSION)
        return json_reader_fail(&reader, "version",
                                "written by a newer agent (format %u, this one "
                                "reads %d)",
                                (unsigned)version, FORMAT_VERSION);
    state_take_uuid(&reader, "cluster_id", &state->cluster_id);
    state_take_uuid(&reader, "adopt", &state->adopt);
    state_take_uuid(&reader, "heard_boot", &state->heard_boot);
    state_take_revision(&reader, "accepted", &state->accepted);
    json_take_u64(&reader, "incarnation", true, 0, INT64_MAX / 4,
                  &state->incarnation);
    json_take_array(&reader, "managed", true, MANAGED_LIMIT, &managed);
    json_take_array(&reader, "probed", true, PROBED_MAX, &probed);
    json_take_array(&reader, "pf_changes", false, DOCUMENT_PFS_MAX, &changes);
    json_take_array(&reader, "vms", false, DOCUMENT_VMS_MAX, &vms);
    json_take_array(&reader, "holds", false, HOLDS_MAX, &holds);
    if (json_reader_end(&reader, false, NULL) < 0 ||
        read_lists(managed, probed, state, err) < 0 ||
        state_vms_read(vms, state, err) < 0 ||
        state_holds_read(holds, state, err) < 0)
        return -1;
    return state_changes_read(changes, state, err);
}

int state_parse(const char *text, size_t length, struct agent_state *out,
                struct error *err)
{
    struct error why = {0};
    struct agent_state state = {0};
    auto_json json_t *root = json_parse(text, length, &why);
    if (root && read_root(root, &state, &why) == 0) {
        *out = state;
        return 0;
    }
    agent_state_done(&state);
    return error_set(err, ERROR_CORRUPT, "%s%s%s",
                     why.field[0] ? why.field : "", why.field[0] ? ": " : "",
                     why.msg);
}

/* ---- the file ---------------------------------------------------------------------- */

static int load_path(const char *path, struct agent_state *out,
                     struct error *err)
{
    struct error why = {0};
    size_t length = 0;
    auto_free char *text = file_read(AT_FDCWD, path, FILE_LIMIT, &length, &why);
    if (!text && why.sys == ENOENT)
        return 0;
    if (text && state_parse(text, length, out, &why) == 0)
        return 0;
    if (err)
        *err = why;
    error_prefix(err, "the agent's state '%s' can't be read", path);
    error_remedy(err,
                 "restore the file, or, if no VF of this host is in use, move "
                 "it away: VFs it names would no longer be known as ours");
    return -1;
}

struct state_file *state_file_open(const char *folder, struct error *err)
{
    if (file_make_dirs(folder, 0700, err) < 0)
        return NULL;
    auto_free char *lock = mem_printf("%s/lock", folder);
    auto_close int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_fill_sys(err, errno, "open '%s'", lock);
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        error_fill(err, ERROR_IN_USE, errno, "",
                   "another agent uses the state folder '%s'", folder);
        error_remedy(err, "stop it first (systemctl stop sriov-agent)");
        return NULL;
    }
    struct state_file *file = mem_new(struct state_file);
    file->path = mem_printf("%s/agent.json", folder);
    file->lock_fd = take_fd(fd);
    return file;
}

void state_file_close(struct state_file *file)
{
    if (!file)
        return;
    close(file->lock_fd);
    free(file->path);
    free(file);
}

static int file_load(void *context, struct agent_state *out, struct error *err)
{
    const struct state_file *file = context;
    return load_path(file->path, out, err);
}

static int file_save(void *context, const struct agent_state *state,
                     struct error *err)
{
    const struct state_file *file = context;
    auto_free char *text = state_text(state, false);
    return file_replace(file->path, text, strlen(text), 0600, err);
}

const struct agent_state_ops state_file_ops = {.load = file_load,
                                               .save = file_save};

int state_file_read(const char *folder, struct agent_state *out,
                    struct error *err)
{
    auto_free char *path = mem_printf("%s/agent.json", folder);
    return load_path(path, out, err);
}
