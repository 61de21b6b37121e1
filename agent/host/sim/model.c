/* SPDX-License-Identifier: Apache-2.0 */
/* NIC models: read once from the texts built into the program. A model that
 * does not read is a fault of the build, so it ends the process. */
#include "agent/host/sim/model.h"

#include "agent/host/sim/sim.h"
#include "common/base/json.h"
#include "common/base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MODELS_MAX 32
static struct sim_model models[MODELS_MAX];
static size_t model_count;
static pthread_once_t models_once = PTHREAD_ONCE_INIT;

static int errno_take(struct json_reader *reader, const char *name)
{
    static const struct {
        const char *name;
        int number;
    } table[] = {
        {"EOPNOTSUPP", EOPNOTSUPP}, {"EPROTONOSUPPORT", EPROTONOSUPPORT},
        {"EINVAL", EINVAL},         {"ERANGE", ERANGE},
        {"EPERM", EPERM},
    };
    const char *text = NULL;
    if (!json_take_text(reader, name, false, &text))
        return 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, text) == 0)
            return table[i].number;
    json_reader_fail(reader, name, "unknown errno '%s'", text);
    return 0;
}

static const char *text_take(struct json_reader *reader, const char *name)
{
    const char *text = "";
    json_take_text(reader, name, true, &text);
    return str_intern(text);
}

static bool bool_take(struct json_reader *reader, const char *name)
{
    bool value = false;
    json_take_bool(reader, name, true, &value);
    return value;
}

static uint32_t number_take(struct json_reader *reader, const char *name,
                            uint32_t min, uint32_t max)
{
    uint64_t value = min;
    json_take_u64(reader, name, true, min, max, &value);
    return (uint32_t)value;
}

static uint16_t id_take(struct json_reader *reader, const char *name)
{
    uint64_t value = 0;
    const char *text = text_take(reader, name);
    if (!reader->failed && !str_to_u64(text, 16, UINT16_MAX, &value))
        json_reader_fail(reader, name, "'%s' is no PCI id", text);
    return (uint16_t)value;
}

/* Begin the object 'name' of 'parent'; each object must say its source. */
static void section_begin(struct json_reader *section,
                          struct json_reader *parent, const char *name)
{
    const json_t *value = NULL;
    json_take_object(parent, name, true, &value);
    json_reader_begin(section, value, name, parent->err);
    if (parent->failed)
        section->failed = true;
    text_take(section, "source");
}

static void section_end(struct json_reader *section, struct json_reader *parent)
{
    if (json_reader_end(section, true, NULL) != 0)
        parent->failed = true;
}

/* "010802"; without it Ethernet. */
static uint32_t class_take(struct json_reader *reader)
{
    uint64_t value = 0x020000;
    const char *text = NULL;
    if (json_take_text(reader, "class", false, &text) &&
        !str_to_u64(text, 16, 0xffffff, &value))
        json_reader_fail(reader, "class", "'%s' is no PCI class", text);
    return (uint32_t)value;
}

static void device_read(struct json_reader *top, struct sim_model *model)
{
    struct json_reader r;
    section_begin(&r, top, "device");
    model->pci_class = class_take(&r);
    model->vendor_id = id_take(&r, "vendor_id");
    model->device_id = id_take(&r, "device_id");
    model->vf_device_id = id_take(&r, "vf_device_id");
    model->vendor_name = text_take(&r, "vendor_name");
    model->device_name = text_take(&r, "device_name");
    model->driver = text_take(&r, "driver");
    model->vf_driver = text_take(&r, "vf_driver");
    model->firmware = text_take(&r, "firmware");
    int64_t speed = -1;
    json_take_i64(&r, "link_speed_mbps", true, -1, 1000000, &speed);
    model->link_speed_mbps = (int32_t)speed;
    const char *mode = text_take(&r, "eswitch_mode");
    if (strcmp(mode, "none") != 0)
        model->eswitch_mode = (uint8_t)eswitch_mode_parse(mode);
    section_end(&r, top);

    section_begin(&r, top, "sriov");
    model->total_vfs = (uint16_t)number_take(&r, "total_vfs", 1, PF_VFS_MAX);
    model->num_vfs = (uint16_t)number_take(&r, "num_vfs", 1, model->total_vfs);
    model->vf_offset = (uint16_t)number_take(&r, "vf_offset", 1, 1024);
    model->vf_stride = (uint16_t)number_take(&r, "vf_stride", 1, 16);
    model->link_reset = bool_take(&r, "link_reset");
    const char *bridge = NULL; /* null: no such switch */
    if (json_take_text(&r, "bridge_mode", false, &bridge))
        model->bridge_mode = (uint8_t)bridge_mode_parse(bridge);
    section_end(&r, top);

    section_begin(&r, top, "reset");
    model->flr = bool_take(&r, "flr");
    model->driver_mac = bool_take(&r, "driver_mac");
    section_end(&r, top);

    section_begin(&r, top, "filter");
    model->hold_errno = errno_take(&r, "refused");
    section_end(&r, top);

    section_begin(&r, top, "statistics");
    model->counts = bool_take(&r, "counted");
    section_end(&r, top);
}

static void rate_read(struct json_reader *policy, struct sim_model *model)
{
    struct json_reader r;
    section_begin(&r, policy, "rate");
    model->rate_errno = errno_take(&r, "refused");
    model->max_rate_errno = model->rate_errno;
    model->min_rate_errno = errno_take(&r, "min");
    model->rate_needs_link = bool_take(&r, "needs_link");
    model->rate_lowest = number_take(&r, "lowest", 0, 100000);
    model->rate_at_most_link = bool_take(&r, "at_most_link");
    model->rate_only_speed_mbps =
        number_take(&r, "only_speed_mbps", 0, 1000000);
    model->rate_sum_of_min = bool_take(&r, "sum_of_min");
    model->rate_lost_on_speed_change = bool_take(&r, "lost_on_speed_change");
    section_end(&r, policy);
}

static void policy_read(struct json_reader *top, struct sim_model *model)
{
    struct json_reader policy, r;
    const json_t *value = NULL;
    json_take_object(top, "policy", true, &value);
    json_reader_begin(&policy, value, "policy", top->err);

    section_begin(&r, &policy, "mac");
    model->mac_errno = errno_take(&r, "refused");
    model->mac_zero_errno = errno_take(&r, "zero");
    section_end(&r, &policy);

    section_begin(&r, &policy, "vlan");
    model->vlan_errno = errno_take(&r, "refused");
    model->qos_errno = errno_take(&r, "qos");
    model->ad_errno = errno_take(&r, "ad");
    section_end(&r, &policy);

    rate_read(&policy, model);

    section_begin(&r, &policy, "spoofchk");
    model->spoofchk_errno = errno_take(&r, "refused");
    model->spoofchk_reported = bool_take(&r, "reported");
    model->spoofchk_initial = bool_take(&r, "initial");
    section_end(&r, &policy);

    section_begin(&r, &policy, "trust");
    model->trust_errno = errno_take(&r, "refused");
    model->trust_reported = bool_take(&r, "reported");
    section_end(&r, &policy);

    section_begin(&r, &policy, "link_state");
    model->link_state_errno = errno_take(&r, "refused");
    model->link_state_kept = bool_take(&r, "kept");
    section_end(&r, &policy);

    section_end(&policy, top);
    /* A driver that sets no MAC has none of the VF functions. */
    model->reports = model->mac_errno == 0;
}

static void not_told(struct capabilities *out, enum policy_field field,
                     const char *note)
{
    out->field[field].support = CAPABILITY_UNSUPPORTED;
    out->field[field].source = CAPABILITY_SOURCE_PROBED;
    out->field[field].note = str_intern(note);
}

/* Nothing can be set on the VFs, and nothing is told of them. */
static void none_told(struct capabilities *out, const char *note)
{
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        not_told(out, (enum policy_field)f, note);
    struct capability none = out->field[POLICY_MAC];
    out->trait[CAPABILITY_TRAIT_DUAL_DELIVERY] = none;
    out->trait[CAPABILITY_TRAIT_STATISTICS] = none;
}

static void sentinels_make(struct sim_model *model)
{
    struct capabilities *out = &model->sentinels;
    bool network = sim_model_kind(model) == DEVICE_NETWORK;
    *out = capabilities_unknown();
    if (!model->reports)
        none_told(out, network ? "the driver reports no VF policy"
                               : "not a network device");
    if (model->reports && !model->spoofchk_reported)
        not_told(out, POLICY_SPOOFCHK, "the driver does not report it");
    if (model->reports && !model->trust_reported)
        not_told(out, POLICY_TRUST, "the driver does not report it");
    struct capability *flr = &out->trait[CAPABILITY_TRAIT_FLR];
    flr->source = CAPABILITY_SOURCE_PROBED;
    flr->support = model->flr ? CAPABILITY_SUPPORTED : CAPABILITY_UNSUPPORTED;
}

void sim_model_sentinels(const struct sim_model *model,
                         struct capabilities *out)
{
    *out = model->sentinels;
}

static void models_load(void)
{
    for (size_t i = 0; i < sim_model_file_count && i < MODELS_MAX; i++) {
        const struct sim_model_file *file = &sim_model_files[i];
        struct sim_model *model = &models[i];
        struct error err = {0};
        struct json_reader top;
        auto_json json_t *value = json_parse(file->text, file->length, &err);
        json_reader_begin(&top, value, "", &err);
        model->name = text_take(&top, "name");
        model->title = text_take(&top, "title");
        device_read(&top, model);
        policy_read(&top, model);
        if (json_reader_end(&top, true, NULL) != 0 || err.code) {
            fprintf(stderr, "<2>NIC model '%s': %s (field '%s')\n", file->name,
                    err.msg, err.field);
            abort();
        }
        sentinels_make(model);
        model_count++;
    }
}

const struct sim_model *sim_model_find(const char *name)
{
    pthread_once(&models_once, models_load);
    for (size_t i = 0; i < model_count; i++)
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    return NULL;
}

const struct sim_model *sim_model_at(size_t number)
{
    pthread_once(&models_once, models_load);
    return number < model_count ? &models[number] : NULL;
}

const char *sim_model_name(const struct sim_model *model)
{
    return model->name;
}

enum device_kind sim_model_kind(const struct sim_model *model)
{
    return device_kind_of_class(model->pci_class);
}

static void found(struct capability *to, int refused, uint32_t max)
{
    char note[64] = "";
    if (refused)
        snprintf(note, sizeof note, "%s when set", error_errno_name(refused));
    *to = (struct capability){
        .support = refused ? CAPABILITY_UNSUPPORTED : CAPABILITY_SUPPORTED,
        .source = CAPABILITY_SOURCE_PROBED,
        .max = refused ? 0 : max,
        .note = str_intern(note),
    };
}

static void need(struct capability *to, bool needed, enum capability_need need,
                 uint32_t max, const char *note)
{
    if (!needed || to->support == CAPABILITY_UNSUPPORTED)
        return;
    to->support = CAPABILITY_CONDITIONAL;
    to->needs |= CAPABILITY_NEED_BIT(need);
    to->max = max ? max : to->max;
    to->note = str_intern(note);
}

static void rates_found(const struct sim_model *model, bool link_up,
                        uint32_t speed, struct capabilities *out)
{
    struct capability *max = &out->field[POLICY_MAX_TX_RATE_MBPS];
    struct capability *min = &out->field[POLICY_MIN_TX_RATE_MBPS];
    bool fits = !link_up || model->rate_only_speed_mbps == 0 ||
                model->rate_only_speed_mbps == speed;
    uint32_t told = link_up ? speed : 0;
    found(max, fits ? model->max_rate_errno : EINVAL, 0);
    found(min, fits ? model->min_rate_errno : EINVAL, 0);
    need(max, model->rate_at_most_link, CAPABILITY_NEED_LINK_SPEED, told,
         "EINVAL above the link's speed");
    need(min, model->rate_at_most_link || model->rate_sum_of_min,
         CAPABILITY_NEED_LINK_SPEED, told, "EINVAL above the link's speed");
    need(max, model->rate_needs_link, CAPABILITY_NEED_LINK_UP, 0,
         "EINVAL while the link is down");
    need(min, model->rate_needs_link, CAPABILITY_NEED_LINK_UP, 0,
         "EINVAL while the link is down");
}

static void traits_found(const struct sim_model *model,
                         struct capabilities *out)
{
    struct capability *dual = &out->trait[CAPABILITY_TRAIT_DUAL_DELIVERY];
    found(dual, model->mac_errno ? model->mac_errno : model->hold_errno, 0);
}

void sim_model_capabilities(const struct sim_model *model, bool link_up,
                            int32_t speed_mbps, struct capabilities *out)
{
    uint32_t speed = speed_mbps > 0 ? (uint32_t)speed_mbps : 0;
    struct capability *field = out->field;
    *out = model->sentinels;
    found(&field[POLICY_MAC], model->mac_errno, 0);
    found(&field[POLICY_VLAN], model->vlan_errno, POLICY_VLAN_MAX);
    found(&field[POLICY_VLAN_QOS], model->qos_errno, POLICY_QOS_MAX);
    found(&field[POLICY_VLAN_PROTO], model->ad_errno, 0);
    rates_found(model, link_up, speed, out);
    found(&field[POLICY_SPOOFCHK], model->spoofchk_errno, 0);
    found(&field[POLICY_TRUST], model->trust_errno, 0);
    found(&field[POLICY_LINK_STATE], model->link_state_errno, 0);
    traits_found(model, out);
    if (!model->link_state_errno && !model->link_state_kept)
        not_told(out, POLICY_LINK_STATE, "accepted, but it did not read back");
    *out = capabilities_merge(&model->sentinels, out);
}
