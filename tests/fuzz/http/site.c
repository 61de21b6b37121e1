/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler of site.h, put together as scheduler/main.c does it, over the
 * store in memory. */
#include "tests/fuzz/http/site.h"

#include "api/http/token.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "db/memory/memory.h"
#include "scheduler/handlers/handlers.h"
#include "tests/fuzz/fuzz.h"

#include <pthread.h>

#define VFS 4
#define STOP_MS 5000
#define YEAR_NS INT64_C(31536000000000000)

static struct {
    struct api api;
    struct store *store;
    struct snapshot *base; /* of the beginning: a reference */
    struct observed *reports[2];
} site;

static void must(bool fine, const struct error *err)
{
    if (fine)
        return;
    fprintf(stderr, "%s: %s\n", err->field, err->msg);
    abort();
}

/* ---- work for the writer's thread ------------------------------------------------ */

struct task {
    struct job job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    struct error err;
};

static void answer_task(struct job *job, struct snapshot *snapshot,
                        const struct error *err)
{
    struct task *task = (struct task *)job;
    (void)snapshot;
    pthread_mutex_lock(&task->lock);
    task->done = true;
    if (err)
        task->err = *err;
    pthread_cond_signal(&task->changed);
    pthread_mutex_unlock(&task->lock);
}

/* Run it there and wait. */
static void do_there(int (*run)(struct job *job, struct core *core,
                                const struct core_call *call, struct tx *tx,
                                struct error *err))
{
    struct task task = {.job = {.run = run, .answer = answer_task},
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    if (!service_submit(site.api.service, SERVICE_LANE_CLIENT, &task.job))
        abort();
    pthread_mutex_lock(&task.lock);
    while (!task.done)
        pthread_cond_wait(&task.changed, &task.lock);
    pthread_mutex_unlock(&task.lock);
    must(task.err.code == ERROR_NONE, &task.err);
}

static int run_check(struct job *job, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    (void)job;
    (void)call;
    (void)tx;
    return core_check(core, err);
}

/* ---- the fleet ----------------------------------------------------------------------- */

static struct pf *make_pf(const char *key)
{
    struct pf *pf = pf_new(VFS);
    pf_key_parse(key, &pf->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    pf->vendor_id = pf->has_address ? 0x8086 : 0;
    pf->device_id = pf->has_address ? 0x10c9 : 0;
    str_copy(pf->netdev, "eth0");
    pf->link_up = true;
    pf->link_speed_mbps = 10000;
    pf->mtu = 1500;
    pf->total_vfs = pf->num_vfs = VFS;
    for (uint16_t i = 0; i < VFS; i++) {
        pf->vfs[i].index = i;
        pf->vfs[i].has_address = pf->has_address;
        pf->vfs[i].address = pf->address;
        pf->vfs[i].address.device = 0x10;
        pf->vfs[i].address.function = (uint8_t)i;
    }
    /* Half of the fields, so that both outcomes are near. */
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].support =
            i % 2 ? CAPABILITY_UNSUPPORTED : CAPABILITY_SUPPORTED;
    return pf;
}

/* An NVMe controller: what is no NIC has devices instead of ports. */
static struct pf *make_storage(const char *key)
{
    struct pf *pf = make_pf(key);
    pf->kind = DEVICE_STORAGE;
    pf->pci_class = 0x010802;
    pf->vendor_id = 0x1b36;
    pf->device_id = pf->vf_device_id = 0x0010;
    pf->driver = str_intern("nvme");
    pf->netdev[0] = '\0';
    pf->link_up = false;
    pf->link_speed_mbps = -1;
    pf->capabilities = (struct capabilities){0};
    return pf;
}

static struct observed *make_report(const char *host, uint8_t machine,
                                    const char *first, const char *second)
{
    struct observed *observed = observed_new(0, 0, 0, 0);
    str_copy(observed->host, host);
    str_copy(observed->agent_version, "0.1.0");
    observed->machine_id.bytes[0] = machine;
    observed->boot_id.bytes[0] = machine;
    observed->incarnation = observed->sequence = 1;
    observed->full = true;
    observed->inventory = inventory_new(3, 1, 0);
    observed->inventory->machine_id = observed->machine_id;
    observed->inventory->kernel = str_intern("6.1.0");
    observed->inventory->vcpus = 8;
    observed->inventory->memory_mib = 8192;
    observed->inventory->pfs[0] = make_pf(first);
    observed->inventory->pfs[1] = make_pf(second);
    observed->inventory->pfs[2] = make_storage("0000:81:00.0");
    str_copy(observed->inventory->networks[0].device, "br0");
    return observed;
}

static int enroll(struct core *core, const struct core_call *call,
                  const char *name, struct tx *tx, struct error *err)
{
    uint8_t hash[32];
    bool renewed = false;
    http_token_hash(name, hash);
    return core_host_enroll(core, call, name, hash, tx, &renewed, err);
}

static int add_tokens(struct core *core, const struct core_call *call,
                      struct tx *tx, struct error *err)
{
    static const enum role roles[] = {ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        uint8_t hash[32];
        http_token_hash(role_name(roles[i]), hash);
        if (core_token_create(core, call, role_name(roles[i]), roles[i], hash,
                              tx, err) < 0)
            return -1;
    }
    return 0;
}

/* Everything of the host's report is allowed. */
static int set_up_host(struct core *core, const struct core_call *call,
                       const struct observed *report, struct tx *tx,
                       struct error *err)
{
    static const struct network_mapping mapping = {"br0", "physnet0"};
    const struct host_patch mapped = {
        .has_mappings = true, .mapping_count = 1, .mappings = &mapping};
    struct pf_patch allowed = {
        .has_allowed = true, .allowed = true, .has_physical_network = true};
    str_copy(allowed.physical_network, "physnet0");
    if (enroll(core, call, report->host, tx, err) < 0 ||
        core_observe(core, call, report->host, report, tx, err) < 0 ||
        core_host_patch(core, call, report->host, &mapped, tx, err) < 0)
        return -1;
    for (size_t i = 0; i < report->inventory->pf_count; i++)
        if (core_pf_patch(core, call, report->host,
                          &report->inventory->pfs[i]->key, &allowed, tx,
                          err) < 0)
            return -1;
    return 0;
}

static int add_vm(struct core *core, const struct core_call *call,
                  struct tx *tx, struct error *err)
{
    struct vm_request request = {
        .name = "vm1", .host = "h1", .vcpus = 2, .memory_mib = 512};
    struct placement_reasons reasons = {0};
    struct vm *vm = NULL;
    bool repeated = false;
    request.port_count = 1;
    request.ports[0].policy.set = POLICY_BIT(POLICY_MAC);
    request.ports[0].policy.mac = (struct mac){{0x52, 0x54, 0, 0, 0, 1}};
    int result =
        core_vm_create(core, call, &request, tx, &vm, &repeated, &reasons, err);
    ref_put(vm);
    return result;
}

static int run_fleet(struct job *job, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    (void)job;
    if (add_tokens(core, call, tx, err) < 0 ||
        enroll(core, call, "h3", tx, err) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (set_up_host(core, call, site.reports[i], tx, err) < 0)
            return -1;
    return add_vm(core, call, tx, err);
}

/* ---- the scheduler --------------------------------------------------------------------- */

static void on_wake(void *context, const char *key)
{
    (void)context;
    http_wake(site.api.server, key);
}

static void on_fatal(void *context, const struct error *err)
{
    (void)context;
    must(false, err);
}

static struct service *open_service(void)
{
    const struct service_config config = {
        .store = site.store,
        .core = {.unreachable_after_ns = YEAR_NS, .grace_ns = YEAR_NS},
        .queue_capacity = 100,
        .batch_max = 16,
        .wake = on_wake,
        .fatal = on_fatal,
    };
    struct error err = {0};
    struct service *service = service_open(&config, &err);
    must(service && service_run(service, &err) == 0, &err);
    return service;
}

static void close_service(void)
{
    service_stop(site.api.service);
    service_free(site.api.service);
}

static void quiet(void *context, const char *module, enum log_level level,
                  const char *line)
{
    (void)context;
    (void)module;
    (void)level;
    (void)line;
}

/* In the order of scheduler/main.c: no thread is left when leaks are looked for. */
static void end(void)
{
    snapshot_put(site.base);
    service_stop(site.api.service);
    http_stop(site.api.server, STOP_MS);
    handlers_done(&site.api);
    service_free(site.api.service);
    store_close(site.store);
    for (size_t i = 0; i < 2; i++)
        ref_put(site.reports[i]);
}

static void begin(void)
{
    const struct http_config config = {
        .listen = "127.0.0.1:0",
        .threads = 1,
        .connections_max = 16,
        .idle_timeout_s = 60,
        .header_max = 32768,
        .routes = handlers_routes,
        .route_count = handlers_route_count,
        .context = &site.api,
        .identify = handlers_identify,
    };
    struct error err = {0};
    log_set_sink(quiet, NULL);
    handlers_init();
    site.api.server = http_start(&config, &err);
    must(site.api.server != NULL, &err);
    site.reports[0] = make_report("h1", 1, "0000:3b:00.0", "0000:3b:00.1");
    site.reports[1] = make_report("h2", 2, "0000:5e:00.0", "0000:5e:00.1");
    atexit(end);
}

static bool has_changed(void)
{
    struct snapshot *now = service_snapshot(site.api.service);
    bool changed = now != site.base;
    snapshot_put(now);
    return changed;
}

void site_reset(void)
{
    if (!site.api.server)
        begin();
    if (site.store && !has_changed())
        return;
    if (site.store) {
        snapshot_put(site.base);
        close_service();
        store_close(site.store);
    }
    site.store = store_memory_open();
    site.api.service = open_service();
    do_there(run_fleet);
    do_there(run_check);
    site.base = service_snapshot(site.api.service);
}

void site_check_store(void)
{
    if (!has_changed())
        return;
    close_service();
    store_memory_reopen(site.store);
    site.api.service = open_service();
    do_there(run_check);
}

/* ---- requests --------------------------------------------------------------------------- */

static void wake(void)
{
    static const char *const keys[] = {"events", "desired/h1", "desired/h2",
                                       "desired/h3"};
    if (!http_parked(site.api.server))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        http_wake(site.api.server, keys[i]);
}

void site_ask(const struct mhd_request *request, struct mhd_answer *out)
{
    mhd_exchange(request, wake, out);
    /* Also after a refusal: it must have taken everything back. */
    if (strcmp(request->method, "GET") != 0)
        do_there(run_check);
}

const char *site_word(char letter)
{
    static char text[64];
    struct snapshot *now = service_snapshot(site.api.service);
    const struct vm *vm = snapshot_vm_after(now, NULL);
    const struct host_view *host = snapshot_host(now, "h1");
    text[0] = '\0';
    if (letter == 'c')
        uuid_format(&snapshot_cluster(now)->id, text);
    else if (letter == 'v' && vm)
        uuid_format(&vm->id, text);
    else if (letter == 'p' && vm && vm->port_count)
        uuid_format(&vm->ports[0].id, text);
    else if (letter == 'r' && host)
        revision_format(&host->revision, text);
    snapshot_put(now);
    return text[0] ? text : NULL;
}
