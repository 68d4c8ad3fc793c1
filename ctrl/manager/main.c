// strata-manager: one or more per cluster, of which one leads. Opens everything, waits for signals,
// closes everything; losing the lead ends the program, so that nothing it sent can be sent again.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ctrl/http/serve.h"
#include "ctrl/log.h"
#include "ctrl/manager/election.h"
#include "ctrl/manager/manager.h"
#include "ctrl/manager/options.h"
#include "ctrl/manager/webhook.h"
#include "ctrl/store/kube_client.h"

#define EXIT_CONFIG 2 // the command line is wrong
#define EXIT_LOST 3 // another leads, or may
#define IDENTITY_MAX 256
// Everything but what only a daemon needs.
#define KINDS                                                                              \
	(1U << KIND_NETWORK | 1U << KIND_SUBNET | 1U << KIND_IPINSTANCE | 1U << KIND_POD | \
		1U << KIND_NODE | 1U << KIND_NAMESPACE)

struct program {
	struct options o;
	uv_loop_t loop;
	uv_signal_t term, interrupt;
	struct metrics *metrics;
	struct store *store;
	struct cache *cache;
	struct manager *manager;
	struct kube_client *client; // for what is no kind of ours
	struct election *election; // NULL: nobody else is there
	struct serve *serve;
	struct webhook *webhook; // NULL: none
	struct selection_conf selection; // the webhooks'
	bool ending;
};

// ── The lead ───────────────────────────────────────────────────────────────────────────────────

static void on_won(void *arg)
{
	struct program *p = arg;

	manager_elected(p->manager);
}

// What is on its way to the API server may still be sent, or sent again: it goes with the process.
// Buffers are not flushed, handlers not run: nothing may come between.
static void on_lost(void *)
{
	_exit(EXIT_LOST);
}

// "manager-0_0123456789abcdef": different in each life, or a restarted process would take the Lease
// of its former life for its own.
static void make_identity(const struct options *o, char identity[IDENTITY_MAX])
{
	const char *pod = getenv("POD_NAME");
	char host[128] = "";
	uint64_t draw = 0;

	(void)gethostname(host, sizeof(host) - 1);
	if (getrandom(&draw, sizeof(draw), 0) < 0)
		draw = (uint64_t)getpid();
	(void)snprintf(identity, IDENTITY_MAX, "%s_%016llx",
		o->identity != NULL ? o->identity
		: pod != NULL       ? pod
				    : host,
		(unsigned long long)draw);
}

static int open_election(struct program *p)
{
	char identity[IDENTITY_MAX];
	const char *namespace = p->o.namespace != NULL ? p->o.namespace : kube_namespace(p->client);

	if (!p->o.leader_elect)
		return 0;
	make_identity(&p->o, identity);
	return election_open(&p->loop, p->client,
		&(struct election_conf){.namespace = namespace,
			.name = p->o.lease_name,
			.identity = identity,
			.lease_ms = p->o.lease_ms,
			.renew_deadline_ms = p->o.renew_deadline_ms,
			.retry_ms = p->o.retry_ms,
			.won = on_won,
			.lost = on_lost,
			.arg = p},
		&p->election);
}

// ── Opening ────────────────────────────────────────────────────────────────────────────────────

static int open_store(struct program *p, char message[MODEL_ERROR_MAX])
{
	int ret = store_kube_open(&p->loop,
		&(struct store_kube_conf){.kubeconfig = p->o.kubeconfig,
			.component = "manager",
			.kinds = KINDS,
			.allow_insecure = p->o.allow_insecure,
			.qps = p->o.qps,
			.burst = p->o.burst},
		&p->store, message);

	if (ret < 0)
		return ret;
	ret = kube_client_open(&p->loop,
		&(struct kube_conf){.kubeconfig = p->o.kubeconfig,
			.component = "manager",
			.allow_insecure = p->o.allow_insecure},
		&p->client, message);
	if (ret < 0)
		return ret;
	p->cache = cache_new(p->store);
	if (p->cache == NULL)
		return -ENOMEM;
	cache_set_kinds(p->cache, KINDS);
	return 0;
}

static int open_manager(struct program *p)
{
	return manager_new(&p->loop, p->store, p->cache,
		&(struct manager_conf){.default_network_type = p->o.default_network_type,
			.default_ip_family = p->o.default_ip_family,
			.stateful_kinds = p->o.stateful_kinds,
			.pod_selector = p->o.pod_selector,
			.default_ip_retain = p->o.default_ip_retain,
			.create_defaults = p->o.create_defaults,
			.vm_ip_retain = p->o.vm_ip_retain,
			.await_election = true,
			.metrics = p->metrics},
		&p->manager);
}

static bool leads(void *arg)
{
	const struct program *p = arg;

	return p->election == NULL || election_leads(p->election);
}

static int open_webhook(struct program *p, char message[MODEL_ERROR_MAX])
{
	if (p->o.webhook_port == 0)
		return 0;
	p->selection = (struct selection_conf){.network_type = p->o.default_network_type,
		.ip_family = p->o.default_ip_family,
		.stateful_kinds = p->o.stateful_kinds,
		.pod_selector = p->o.pod_selector,
		.ip_retain = p->o.default_ip_retain};
	return webhook_start(&p->loop, p->client,
		&(struct webhook_conf){.port = p->o.webhook_port,
			.namespace = p->o.namespace,
			.extra_names = p->o.webhook_names,
			.selection = &p->selection,
			.vm_ip_retain = p->o.vm_ip_retain,
			.metrics = p->metrics,
			.leads = leads,
			.arg = p},
		&p->webhook, message);
}

static const char *unready(void *arg)
{
	const struct program *p = arg;

	if (!cache_synced(p->cache))
		return "the objects are not there yet\n";
	if (p->webhook != NULL && !webhook_ready(p->webhook))
		return "the webhooks have no certificate yet\n";
	return NULL;
}

static int open_all(struct program *p, char message[MODEL_ERROR_MAX])
{
	int ret = open_store(p, message);

	if (ret == 0)
		ret = open_manager(p);
	if (ret == 0)
		ret = serve_open(&p->loop,
			&(struct serve_conf){.metrics_port = p->o.metrics_port,
				.probe_port = p->o.probe_port,
				.metrics = p->metrics,
				.unready = unready,
				.arg = p},
			&p->serve, message);
	if (ret == 0)
		ret = cache_start(p->cache);
	if (ret == 0)
		ret = open_election(p);
	if (ret == 0)
		ret = open_webhook(p, message);
	if (ret == 0 && p->election == NULL)
		manager_elected(p->manager);
	return ret;
}

// ── The end ────────────────────────────────────────────────────────────────────────────────────

static void close_all(struct program *p)
{
	kube_client_close(p->client);
	webhook_stop(p->webhook);
	election_close(p->election);
	serve_close(p->serve);
	manager_free(p->manager);
	if (p->store != NULL)
		p->store->ops->close(p->store);
	cache_free(p->cache);
}

static void on_released(void *arg)
{
	struct program *p = arg;

	uv_stop(&p->loop);
}

// The Lease is given up only when nothing is sent any more.
static void on_signal(uv_signal_t *signal, int)
{
	struct program *p = signal->data;

	if (p->ending)
		return;
	p->ending = true;
	log_notice("ending");
	manager_free(p->manager);
	p->manager = NULL;
	p->store->ops->close(p->store);
	p->store = NULL;
	if (p->election != NULL)
		election_release(p->election, on_released, p);
	else
		uv_stop(&p->loop);
}

static int run(struct program *p)
{
	char message[MODEL_ERROR_MAX] = "";
	int ret = uv_loop_init(&p->loop);

	if (ret < 0)
		return ret;
	p->metrics = metrics_new();
	if (p->metrics == NULL)
		return -ENOMEM;
	(void)uv_signal_init(&p->loop, &p->term);
	(void)uv_signal_init(&p->loop, &p->interrupt);
	p->term.data = p->interrupt.data = p;
	ret = open_all(p, message);
	if (ret == 0) {
		(void)uv_signal_start(&p->term, on_signal, SIGTERM);
		(void)uv_signal_start(&p->interrupt, on_signal, SIGINT);
		(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	} else {
		(void)log_err(ret, "cannot start: %s", message);
	}
	close_all(p);
	uv_close((uv_handle_t *)&p->term, NULL);
	uv_close((uv_handle_t *)&p->interrupt, NULL);
	(void)uv_run(&p->loop, UV_RUN_DEFAULT); // until all handles are closed
	(void)uv_loop_close(&p->loop);
	metrics_free(p->metrics);
	return ret;
}

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

int main(int argc, char **argv)
{
	static struct program p;
	char error[OPTIONS_ERROR_MAX];

	switch (options_parse(argc, argv, from_environment, &p.o, error)) {
	case OPTIONS_HELP:
		(void)fputs(options_usage, stdout);
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		(void)puts("strata-manager " STRATA_VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		(void)fprintf(stderr, "strata-manager: %s. Try --help.\n", error);
		return EXIT_CONFIG;
	case OPTIONS_RUN:
		break;
	}
	log_set_level(p.o.log_level);
	if (p.o.concurrency)
		log_notice(
			"--controller-concurrency has no effect: all controllers share one thread");
	(void)signal(SIGPIPE, SIG_IGN); // a client that leaves is an error of a write
	return run(&p) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
