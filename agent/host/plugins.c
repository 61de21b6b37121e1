/* SPDX-License-Identifier: Apache-2.0 */
/* NIC plug-ins: see plugins.h. The code of a plug-in runs in the agent, with all
 * its rights: who may put it there is checked before it is loaded. What it says
 * is checked against slips, not against malice. */
#include "agent/host/plugins.h"

#include "agent/host/plugin_files.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "plugins/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)SRIOV_SUBJECT_LINK_STATE == (int)POLICY_LINK_STATE &&
                   (int)SRIOV_SUBJECT_DUAL_DELIVERY == POLICY_FIELD_MAX &&
                   SRIOV_SUBJECT_COUNT ==
                       (int)POLICY_FIELD_MAX + (int)CAPABILITY_TRAIT_MAX,
               "subjects are the policy's fields and then the traits");

struct plugin {
    char *file;
    void *handle;
    const struct sriov_plugin *made;
};

struct plugins {
    struct plugins_config config;
    size_t count;
    struct plugin *items[PLUGINS_MAX];
};

static void plugin_free(struct plugin *plugin)
{
    if (plugin->handle)
        dlclose(plugin->handle);
    free(plugin->file);
    free(plugin);
}

void plugins_free(struct plugins *plugins)
{
    if (!plugins)
        return;
    for (size_t i = 0; i < plugins->count; i++)
        plugin_free(plugins->items[i]);
    free(plugins);
}

static void refuse(const struct plugins *plugins, const char *file,
                   const struct error *err)
{
    if (plugins->config.refused)
        plugins->config.refused(plugins->config.context, file, err);
}

/* ---- loading ------------------------------------------------------------------- */

static bool is_bounded_name(const char *text)
{
    return text && strnlen(text, NAME_SIZE) < NAME_SIZE && str_is_name(text);
}

static int check_made(const struct sriov_plugin *made, struct error *err)
{
    if (made->abi != SRIOV_PLUGIN_ABI) {
        error_fill(err, ERROR_UNSUPPORTED, 0, "",
                   "it is made for plug-in ABI %u, this agent has %u",
                   made->abi, SRIOV_PLUGIN_ABI);
        error_remedy(err, "build it with the plugin.h of this version");
        return -1;
    }
    if (made->size < sizeof *made)
        return error_set(err, ERROR_INVALID,
                         "its description has %u bytes, fewer than %zu",
                         made->size, sizeof *made);
    if (!is_bounded_name(made->name) || !is_bounded_name(made->version))
        return error_set(err, ERROR_INVALID,
                         "its name or version is none (1 to 63 of A-Z a-z 0-9 "
                         ". _ -)");
    if (!made->tell || !made->drivers || !made->drivers[0])
        return error_set(err, ERROR_INVALID,
                         "it names no drivers, or tells nothing of them");
    for (size_t i = 0; made->drivers[i]; i++) {
        if (i == SRIOV_DRIVERS_MAX)
            return error_set(err, ERROR_INVALID,
                             "it names more than %d drivers",
                             SRIOV_DRIVERS_MAX);
        if (!is_bounded_name(made->drivers[i]))
            return error_set(err, ERROR_INVALID,
                             "the name of its driver %zu is none", i);
    }
    return 0;
}

static int load(struct plugin *plugin, struct error *err)
{
    if (plugin_file_check(plugin->file, err) < 0)
        return -1;
    plugin->handle = dlopen(plugin->file, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->handle) {
        const char *why = dlerror();
        return error_set(err, ERROR_INVALID, "it can't be loaded: %s",
                         why ? why : "no reason given");
    }
    plugin->made = dlsym(plugin->handle, SRIOV_PLUGIN_SYMBOL);
    if (!plugin->made)
        return error_set(err, ERROR_INVALID, "it has no symbol '%s'",
                         SRIOV_PLUGIN_SYMBOL);
    return check_made(plugin->made, err);
}

struct plugins *plugins_load(const struct plugins_config *config)
{
    struct plugins *plugins = mem_new(struct plugins);
    struct error err = {0};
    auto_plugin_files struct plugin_files files = {0};
    plugins->config = *config;
    if (plugin_files_list(config->folder, PLUGINS_MAX, &files, &err) < 0)
        refuse(plugins, config->folder, &err);
    for (size_t i = 0; i < files.count; i++) {
        struct plugin *plugin = mem_new(struct plugin);
        plugin->file = mem_strdup(files.paths[i]);
        if (load(plugin, &err) == 0) {
            plugins->items[plugins->count++] = plugin;
            continue;
        }
        refuse(plugins, plugin->file, &err);
        plugin_free(plugin);
    }
    return plugins;
}

bool plugins_at(const struct plugins *plugins, size_t number,
                struct plugin_facts *facts)
{
    if (!plugins || number >= plugins->count)
        return false;
    const struct plugin *plugin = plugins->items[number];
    *facts = (struct plugin_facts){.name = plugin->made->name,
                                   .version = plugin->made->version,
                                   .file = plugin->file,
                                   .drivers = plugin->made->drivers};
    return true;
}

/* ---- asking ------------------------------------------------------------------------ */

static bool is_rate(uint32_t subject)
{
    return subject == SRIOV_SUBJECT_MIN_TX_RATE ||
           subject == SRIOV_SUBJECT_MAX_TX_RATE;
}

/* The greatest 'max' that a word may say of the subject; 0 = it has no range. */
static uint32_t range_end(uint32_t subject)
{
    return subject == SRIOV_SUBJECT_VLAN       ? POLICY_VLAN_MAX
           : subject == SRIOV_SUBJECT_VLAN_QOS ? POLICY_QOS_MAX
           : is_rate(subject)                  ? POLICY_RATE_MAX_MBPS
                                               : 0;
}

static bool is_good_note(const char note[SRIOV_NOTE_SIZE])
{
    const char *end = memchr(note, '\0', SRIOV_NOTE_SIZE);
    for (const char *c = note; end && c < end; c++)
        if (*c < 0x20 || *c > 0x7e)
            return false;
    return end != NULL;
}

static int check_word(const struct sriov_plugin_word *word, struct error *err)
{
    uint32_t known = SRIOV_NEEDS_LINK_UP | SRIOV_NEEDS_LINK_SPEED;
    bool conditional = word->support == SRIOV_SUPPORT_CONDITIONAL;
    bool link_speed =
        is_rate(word->subject) && word->max == SRIOV_MAX_LINK_SPEED;
    if (word->size < sizeof *word)
        return error_set(err, ERROR_INVALID,
                         "a word has %u bytes, fewer than %zu", word->size,
                         sizeof *word);
    if (word->subject >= SRIOV_SUBJECT_COUNT)
        return error_set(err, ERROR_INVALID, "there is no subject %u",
                         word->subject);
    if (word->support < SRIOV_SUPPORT_SUPPORTED ||
        word->support > SRIOV_SUPPORT_CONDITIONAL)
        return error_set(err, ERROR_INVALID, "there is no support %u",
                         word->support);
    if ((word->needs & ~known) || conditional != (word->needs != 0))
        return error_set(err, ERROR_INVALID,
                         "the needs %u do not go with support %u", word->needs,
                         word->support);
    if (!link_speed && word->max > range_end(word->subject))
        return error_set(err, ERROR_INVALID,
                         "the maximum %u of subject %u is out of range",
                         word->max, word->subject);
    if (!is_good_note(word->note))
        return error_set(err, ERROR_INVALID,
                         "a note does not end, or is no printable ASCII");
    return 0;
}

int plugins_take_word(const struct sriov_plugin_word *word, const struct pf *pf,
                      struct capabilities *out, struct error *err)
{
    static const uint8_t supports[] = {
        [SRIOV_SUPPORT_SUPPORTED] = CAPABILITY_SUPPORTED,
        [SRIOV_SUPPORT_UNSUPPORTED] = CAPABILITY_UNSUPPORTED,
        [SRIOV_SUPPORT_CONDITIONAL] = CAPABILITY_CONDITIONAL,
    };
    if (!word || check_word(word, err) < 0)
        return word ? -1 : error_set(err, ERROR_INVALID, "there is no word");
    struct capability said = {.support = supports[word->support],
                              .source = CAPABILITY_SOURCE_PLUGIN,
                              .max = word->max,
                              .note = str_intern(word->note)};
    if (word->needs & SRIOV_NEEDS_LINK_UP)
        said.needs |= CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP);
    if (word->needs & SRIOV_NEEDS_LINK_SPEED)
        said.needs |= CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED);
    if (word->max == SRIOV_MAX_LINK_SPEED)
        said.max = pf->link_speed_mbps > 0 ? (uint32_t)pf->link_speed_mbps : 0;
    if (word->subject < POLICY_FIELD_MAX)
        out->field[word->subject] = said;
    else
        out->trait[word->subject - POLICY_FIELD_MAX] = said;
    return 0;
}

struct answer {
    const struct pf *pf;
    struct capabilities words;
    unsigned count;
    struct error err; /* code 0 = all words were good */
};

static void on_word(void *context, const struct sriov_plugin_word *word)
{
    struct answer *answer = context;
    if (answer->err.code != ERROR_NONE)
        return;
    if (answer->count++ == SRIOV_WORDS_MAX)
        error_fill(&answer->err, ERROR_INVALID, 0, "",
                   "it says more than %d words", SRIOV_WORDS_MAX);
    else
        plugins_take_word(word, answer->pf, &answer->words, &answer->err);
}

static bool knows(const struct plugin *plugin, const char *driver)
{
    for (size_t i = 0; plugin->made->drivers[i]; i++)
        if (strcmp(plugin->made->drivers[i], driver) == 0)
            return true;
    return false;
}

/* False: it broke the rules, and is gone. */
static bool ask(struct plugins *plugins, size_t number, const struct pf *pf,
                const char *kernel, struct capabilities *all)
{
    struct plugin *plugin = plugins->items[number];
    struct answer answer = {.pf = pf, .words = capabilities_unknown()};
    static const uint32_t modes[ESWITCH_MODE_MAX] = {
        [ESWITCH_NONE] = SRIOV_ESWITCH_NONE,
        [ESWITCH_LEGACY] = SRIOV_ESWITCH_LEGACY,
        [ESWITCH_SWITCHDEV] = SRIOV_ESWITCH_SWITCHDEV,
    };
    struct sriov_plugin_device device = {
        .size = sizeof device,
        .subjects = SRIOV_SUBJECT_COUNT,
        .driver = pf->driver,
        .firmware = pf->firmware,
        .kernel = kernel,
        .vendor_id = pf->vendor_id,
        .device_id = pf->device_id,
        .eswitch_mode = modes[pf->eswitch_mode % ESWITCH_MODE_MAX],
        .link_up = pf->link_up,
        .link_speed_mbps = pf->link_up && pf->link_speed_mbps > 0
                               ? (uint32_t)pf->link_speed_mbps
                               : 0,
    };
    plugin->made->tell(&device, on_word, &answer);
    if (answer.err.code == ERROR_NONE) {
        *all = capabilities_merge(all, &answer.words);
        return true;
    }
    error_prefix(&answer.err,
                 "what it says of PF %s is not valid and it is "
                 "asked no more",
                 pf->key.text);
    refuse(plugins, plugin->file, &answer.err);
    plugin_free(plugin);
    plugins->count--;
    memmove(plugins->items + number, plugins->items + number + 1,
            (plugins->count - number) * sizeof(struct plugin *));
    return false;
}

struct capabilities plugins_tell(struct plugins *plugins, const struct pf *pf,
                                 const char *kernel)
{
    struct capabilities all = capabilities_unknown();
    for (size_t i = 0; plugins && i < plugins->count;) {
        if (!knows(plugins->items[i], pf->driver) ||
            ask(plugins, i, pf, kernel, &all))
            i++;
    }
    return all;
}
