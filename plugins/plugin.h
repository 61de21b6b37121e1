/* SPDX-License-Identifier: Apache-2.0 */
/* What a NIC plug-in must look like: a shared object that tells what is known of
 * network cards and can't be found out by trying. See docs/plugins.md; the
 * shortest example is plugins/nic/example.c.
 *
 * A plug-in exports one object:
 *     const struct sriov_plugin sriov_plugin = { ... };
 * It is loaded when the agent starts, stays for its life, and is called on one
 * thread. It must not block, read files, keep what it is given, or change
 * anything of the process: it looks at its argument and says words.
 *
 * The order of belief: what a probe disproved, the operator's word, what a probe
 * proved to work, a plug-in's word. So a plug-in fills in what nobody tried, and
 * what it says of something that works adds conditions to it.
 *
 * Versions: SRIOV_PLUGIN_ABI changes only if an old plug-in could not be used
 * any more; otherwise structures only grow at their ends, and 'size' says how
 * much of them the maker knew. Only plain C types, so that nothing depends on a
 * compiler's choices. This header includes nothing of the project.
 */
#pragma once

#include <stdint.h>

#define SRIOV_PLUGIN_ABI 1u

/* About what a word is. The numbers stay; new ones come at the end, and a
 * plug-in says nothing of numbers from device->subjects on. */
enum {
    SRIOV_SUBJECT_MAC,
    SRIOV_SUBJECT_VLAN,     /* max: 1 to 4094 */
    SRIOV_SUBJECT_VLAN_QOS, /* max: 1 to 7 */
    SRIOV_SUBJECT_VLAN_PROTO,
    SRIOV_SUBJECT_MIN_TX_RATE, /* max: Mbit/s */
    SRIOV_SUBJECT_MAX_TX_RATE, /* max: Mbit/s */
    SRIOV_SUBJECT_SPOOFCHK,
    SRIOV_SUBJECT_TRUST,
    SRIOV_SUBJECT_LINK_STATE,
    SRIOV_SUBJECT_DUAL_DELIVERY, /* a MAC on a VF and on the PF's own filter */
    SRIOV_SUBJECT_STATISTICS,    /* the driver counts per VF */
    SRIOV_SUBJECT_FLR,           /* VFs can be reset one by one */
    SRIOV_SUBJECT_COUNT
};

/* What is known of it. */
enum {
    SRIOV_SUPPORT_SUPPORTED = 1,
    SRIOV_SUPPORT_UNSUPPORTED = 2,
    SRIOV_SUPPORT_CONDITIONAL = 3 /* see 'needs' */
};

/* On what it depends; bits. */
#define SRIOV_NEEDS_LINK_UP 1u    /* refused while the PF's link is down */
#define SRIOV_NEEDS_LINK_SPEED 2u /* refused above the link's present speed */

/* As 'max' of a rate: the link's speed, whatever it is at the time. */
#define SRIOV_MAX_LINK_SPEED UINT32_MAX

enum {
    SRIOV_ESWITCH_NONE,
    SRIOV_ESWITCH_LEGACY,
    SRIOV_ESWITCH_SWITCHDEV,
};

/* A PF as it is now. Texts are never NULL; "" = not known. */
struct sriov_plugin_device {
    uint32_t size;                 /* of this structure, in bytes */
    uint32_t subjects;             /* the host knows subjects below this */
    const char *driver;            /* "igb" */
    const char *firmware;          /* as 'ethtool -i' tells it */
    const char *kernel;            /* "6.12.107+deb13-amd64" */
    uint16_t vendor_id, device_id; /* PCI ids; 0 = none */
    uint32_t eswitch_mode;         /* SRIOV_ESWITCH_... */
    uint32_t link_up;              /* 0 or 1 */
    uint32_t link_speed_mbps;      /* 0 = link down, or not told */
};

/* One statement. */
#define SRIOV_NOTE_SIZE 96
struct sriov_plugin_word {
    uint32_t size;    /* of this structure, in bytes */
    uint32_t subject; /* SRIOV_SUBJECT_... */
    uint32_t support; /* SRIOV_SUPPORT_... */
    uint32_t needs;   /* of CONDITIONAL: at least one; else 0 */
    uint32_t max;     /* greatest accepted value; 0 = not known, or no range */
    char
        note[SRIOV_NOTE_SIZE]; /* why, for people: printable ASCII, ends in 0 */
};

/* How a plug-in says a word; 'word' may be forgotten afterwards. At most
 * SRIOV_WORDS_MAX for one device. */
#define SRIOV_WORDS_MAX 64
typedef void sriov_plugin_say(void *context,
                              const struct sriov_plugin_word *word);

#define SRIOV_DRIVERS_MAX 32
struct sriov_plugin {
    uint32_t abi;        /* SRIOV_PLUGIN_ABI */
    uint32_t size;       /* of this structure, in bytes */
    const char *name;    /* 1 to 63 of A-Z a-z 0-9 . _ - */
    const char *version; /* the same */
    /* Which drivers it knows, NULL at the end; it is asked only of their PFs. */
    const char *const *drivers;
    /* Say what is known of this PF. A word that breaks the rules above makes the
     * host forget the whole plug-in. */
    void (*tell)(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context);
};

/* The name of the exported object. */
#define SRIOV_PLUGIN_SYMBOL "sriov_plugin"
#define SRIOV_PLUGIN_EXPORT __attribute__((visibility("default")))
extern SRIOV_PLUGIN_EXPORT const struct sriov_plugin sriov_plugin;
