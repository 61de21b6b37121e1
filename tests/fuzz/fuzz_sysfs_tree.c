/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of a copied host: the input is the tree (tree.h). Nothing
 * outside of the root is read, nothing is told twice or out of its limits, and
 * the scheduler takes what an agent would report of it. */
#include "agent/host/host_ops.h"

#include "common/base/str.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tree.h"

#include <sys/inotify.h>

static struct tree tree;
static char outside[64]; /* beside the root: nobody may read there */
static int watch;

static void check(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* ---- the place -------------------------------------------------------------------- */

static void write_outside(const char *name, const char *text)
{
    auto_free char *path = mem_printf("%s/%s", outside, name);
    FILE *file = fopen(path, "we");
    check(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

static void clean_up(void)
{
    tree_clear(&tree);
    rmdir(tree.root);
    auto_free char *file = mem_printf("%s/text", outside);
    unlink(file);
    rmdir(outside);
    *strrchr(outside, '/') = '\0';
    rmdir(outside);
}

static void set_up(void)
{
    const char *folder = getenv("TMPDIR");
    char above[48];
    snprintf(above, sizeof above, "%s/sriov-fuzz-XXXXXX",
             folder ? folder : "/tmp");
    check(mkdtemp(above) != NULL, "make a folder in TMPDIR");
    snprintf(outside, sizeof outside, "%s/outside", above);
    check(mkdir(outside, 0700) == 0, outside);
    write_outside("text", "0x8086\n");
    tree_open(&tree, above, "root");
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    check(watch >= 0 && inotify_add_watch(watch, outside, IN_OPEN) >= 0,
          "watch what is outside");
    atexit(clean_up);
}

static void check_nothing_outside(void)
{
    char events[512];
    check(read(watch, events, sizeof events) < 0, "read outside of the root");
}

/* Without one of its own the machine's would be read, which is large. */
static void put_pci_ids(void)
{
    char path[] = "usr/share/misc/pci.ids";
    tree_put(&tree, 'F', path, "8086  Intel Corporation\n\t10c9  82576\n");
}

/* ---- what was read ------------------------------------------------------------------ */

static void check_pf(const struct pf *pf)
{
    check(pf->num_vfs <= PF_VFS_MAX && pf->vf_count <= pf->num_vfs,
          "more VFs than there can be");
    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        check(vf->index < pf->num_vfs &&
                  (i == 0 || pf->vfs[i - 1].index < vf->index),
              "VFs out of order");
        check(vf->state == VF_FREE || vf->state == VF_EXTERNAL,
              "a state that is not the host's to tell");
        check((vf->state == VF_EXTERNAL) == (vf->reason[0] != '\0'),
              "a VF in use without a reason, or the other way round");
    }
}

static void check_inventory(const struct inventory *all)
{
    check(all->pf_count <= HOST_PFS_MAX &&
              all->network_count <= HOST_NETWORKS_MAX &&
              all->unreadable_count <= HOST_UNREADABLE_MAX,
          "more than there can be");
    for (size_t i = 0; i < all->pf_count; i++) {
        check(i == 0 ||
                  pf_key_compare(&all->pfs[i - 1]->key, &all->pfs[i]->key) < 0,
              "PFs out of order");
        check_pf(all->pfs[i]);
    }
    for (size_t i = 0; i < all->unreadable_count; i++)
        check(all->unreadable[i].what[0] && all->unreadable[i].why[0],
              "unreadable without a reason");
}

static char *written(const struct observed *observed)
{
    auto_json json_t *value = wire_observed(observed);
    return json_text(value);
}

/* The report of an agent of this host is taken, and says the same. */
static void check_report(struct inventory *all)
{
    auto_observed struct observed *report = observed_new(0, 0, 0, 0);
    str_copy(report->host, "h1");
    report->incarnation = report->sequence = 1;
    report->machine_id.bytes[0] = 1;
    report->full = true;
    report->inventory = all;
    auto_free char *first = written(report);
    report->inventory = NULL;
    struct error err = {0};
    size_t unknown = 0;
    auto_json json_t *value = fuzz_parse((const uint8_t *)first, strlen(first));
    auto_observed struct observed *back =
        wire_observed_read(value, &unknown, &err);
    if (!back) {
        fprintf(stderr, "%s: %s\n%s\n", err.field, err.msg, first);
        abort();
    }
    auto_free char *second = written(back);
    fuzz_check_equal(first, second);
}

/* One PF read again is the same PF. */
static void check_again(struct host_backend *host, const struct pf *pf)
{
    struct error err = {0};
    auto_pf struct pf *again = host->ops->read_pf(host, &pf->key, pf, &err);
    if (!again) {
        fuzz_check_error(&err);
        abort();
    }
    check(again->vf_count == pf->vf_count && again->num_vfs == pf->num_vfs &&
              again->management == pf->management,
          "another PF when read again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!tree.root[0])
        set_up();
    auto_free char *text = mem_calloc(size + 1, 1);
    memcpy(text, data, size);
    tree_lay(&tree, text, outside);
    put_pci_ids();
    struct error err = {0};
    struct host_backend *host = host_linux_open(tree.root, &err);
    check(host != NULL, err.msg);
    auto_inventory struct inventory *all = host->ops->inventory(host, &err);
    if (all) {
        check_inventory(all);
        check_report(all);
        for (size_t i = 0; i < all->pf_count; i++)
            check_again(host, all->pfs[i]);
    } else {
        fuzz_check_error(&err);
    }
    host->ops->close(host);
    check_nothing_outside();
    tree_clear(&tree);
    return 0;
}
