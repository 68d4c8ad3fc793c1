// The manager on a dir store: who gets which address, what is kept, and what is written down.
#include "ctrl/manager/manager.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/subnet.h"
#include "loop.h"

#define API "apiVersion: networking.alibaba.com/v1\n"

struct site { // a daemon's worth
	struct store *store;
	struct cache *cache;
	struct manager *manager;
};

static struct manager_conf conf;
static char lock_path[96];

static bool is_active(void *arg)
{
	return manager_active(((struct site *)arg)->manager);
}

static void open_site(struct site *s)
{
	char message[MODEL_ERROR_MAX];

	assert_int_equal(store_dir_open(&loop, loop_dir, &s->store, message), 0);
	s->cache = cache_new(s->store);
	assert_int_equal(manager_new(&loop, s->store, s->cache, &conf, &s->manager), 0);
	assert_int_equal(cache_start(s->cache), 0);
}

static void open_active(struct site *s)
{
	open_site(s);
	assert_true(loop_until(is_active, s));
}

static void close_site(struct site *s)
{
	manager_free(s->manager);
	s->store->ops->close(s->store);
	cache_free(s->cache);
}

static int setup(void **state)
{
	int ret = loop_setup(state);

	(void)snprintf(lock_path, sizeof(lock_path), "%s/.manager", loop_dir);
	conf = (struct manager_conf){.default_network_type = "Overlay",
		.default_ip_family = "IPv4",
		.stateful_kinds = "StatefulSet",
		.default_ip_retain = true,
		.lock_path = lock_path};
	return ret;
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

static void put_overlay(void)
{
	put_file("n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 4}\n");
}

static void put_subnet(const char *name, const char *version, const char *cidr, const char *more)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s.yaml", name);
	put_file(path,
		API "kind: Subnet\nmetadata: {name: %s}\n"
		    "spec: {network: n, range: {version: \"%s\", cidr: \"%s\"%s}}\n",
		name, version, cidr, more);
}

static void put_node(const char *name, const char *labels)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "nodeinfoes/%s.yaml", name);
	put_file(path, API "kind: NodeInfo\nmetadata: {name: %s, labels: {%s}}\nspec: {}\n", name,
		labels);
}

static void create_pod(struct site *s, const char *name, const char *node, const char *annotations,
	const char *owner)
{
	char json[1024];

	(void)snprintf(json, sizeof(json),
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"x\","
		"\"annotations\":{%s}%s},\"spec\":{\"nodeName\":\"%s\"}}",
		name, annotations, owner, node);
	assert_int_equal(do_create(s->store, json), 0);
}

#define STATEFUL                                          \
	",\"ownerReferences\":[{\"apiVersion\":\"apps/"   \
	"v1\",\"kind\":\"StatefulSet\",\"name\":\"web\"," \
	"\"uid\":\"u1\",\"controller\":true}]"
#define ANN(key, value) "\"networking.alibaba.com/" key "\":\"" value "\""

// ── What there is ──────────────────────────────────────────────────────────────────────────────

struct ips { // of a pod
	const struct site *site;
	const char *pod;
	size_t want, n; // bound ones
	size_t n_all; // with the reserved
	char text[4][IP_TEXT_MAX];
	uint8_t mac[4][6];
};

static bool collect_ip(const struct object *obj, const cJSON *, void *arg)
{
	struct ips *ips = arg;
	const struct ipinstance *i = (const void *)obj;
	const struct object *pod = cache_get(ips->site->cache, KIND_POD, "x", ips->pod);

	if (strcmp(i->binding.pod_name, ips->pod) != 0 || obj->meta.deleting || ips->n_all == 4)
		return true;
	ips->n_all++;
	if (pod == NULL || strcmp(i->binding.pod_uid, pod->meta.uid) != 0)
		return true;
	memcpy(ips->mac[ips->n], i->address.mac, 6);
	(void)ip_text(&i->address.ip.ip, ips->text[ips->n++]);
	return true;
}

static bool has_ips(void *arg)
{
	struct ips *ips = arg;

	ips->n = ips->n_all = 0;
	cache_each(ips->site->cache, KIND_IPINSTANCE, collect_ip, ips);
	return ips->n == ips->want;
}

// Waits until the pod has so many addresses.
static struct ips ips_of(const struct site *s, const char *pod, size_t want)
{
	struct ips ips = {.site = s, .pod = pod, .want = want};

	if (!loop_until(has_ips, &ips))
		fail_msg("pod '%s' has %zu addresses, not %zu", pod, ips.n, want);
	return ips;
}

static void expect_ip(const struct site *s, const char *pod, const char *ip)
{
	struct ips ips = ips_of(s, pod, 1);
	assert_string_equal(ips.text[0], ip);
}

static bool count_one(const struct object *, const cJSON *, void *arg)
{
	++*(size_t *)arg;
	return true;
}

static size_t count(const struct site *s, enum kind kind)
{
	size_t n = 0;

	cache_each(s->cache, kind, count_one, &n);
	return n;
}

struct counted {
	const struct site *site;
	size_t n;
};

static bool has_instances(void *arg)
{
	const struct counted *c = arg;
	return count(c->site, KIND_IPINSTANCE) == c->n;
}

static void expect_instances(const struct site *s, size_t n)
{
	if (!loop_until(has_instances, &(struct counted){.site = s, .n = n}))
		fail_msg("%zu IPInstances, not %zu", count(s, KIND_IPINSTANCE), n);
}

struct wanted { // in an object's JSON
	const struct site *site;
	enum kind kind;
	const char *namespace, *name, *text;
};

static bool json_has(void *arg)
{
	const struct wanted *w = arg;
	const cJSON *json = cache_get_json(w->site->cache, w->kind, w->namespace, w->name);
	char *text = json != NULL ? cJSON_PrintUnformatted(json) : NULL;
	bool ok = text != NULL && strstr(text, w->text) != NULL;

	free(text);
	return ok;
}

static void expect_json(const struct site *s, enum kind kind, const char *namespace,
	const char *name, const char *text)
{
	struct wanted w = {
		.site = s, .kind = kind, .namespace = namespace, .name = name, .text = text};

	if (!loop_until(json_has, &w)) {
		const cJSON *json = cache_get_json(s->cache, kind, namespace, name);
		fail_msg("no '%s' in %s", text, json != NULL ? cJSON_Print(json) : "(nothing)");
	}
}

static void expect_status(const struct site *s, enum kind kind, const char *name, const char *text)
{
	expect_json(s, kind, NULL, name, text);
}

static void expect_failure(const struct site *s, const char *pod, const char *message)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"type\":\"IPAllocated\",\"status\":\"False\",\"lastTransitionTime\":");
	expect_json(s, KIND_POD, "x", pod, "\"type\":\"IPAllocated\"");
	(void)snprintf(text, sizeof(text), "\"message\":\"%s\"", message);
	expect_json(s, KIND_POD, "x", pod, text);
	expect_json(s, KIND_POD, "x", pod, "\"status\":\"False\"");
}

// ── Tests ──────────────────────────────────────────────────────────────────────────────────────

static void the_first_start_makes_a_network_and_a_subnet(void **)
{
	struct site s;

	conf.create_defaults = true;
	put_node("node1", "");
	open_active(&s);
	expect_status(&s, KIND_NETWORK, "network-0",
		"\"statistics\":{\"total\":65533,\"used\":0,\"available\":65533}");
	expect_status(&s, KIND_NETWORK, "network-0",
		"\"subnetList\":[\"subnet-0-network-0\"],\"nodeList\":[\"node1\"]");
	expect_status(&s, KIND_SUBNET, "subnet-0-network-0",
		"\"total\":65533,\"used\":0,\"available\":65533");
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "100.64.0.2");
	close_site(&s);
}

static void existing_networks_are_left_alone(void **)
{
	struct site s;

	conf.create_defaults = true;
	put_overlay();
	open_active(&s);
	loop_for(300);
	assert_int_equal(count(&s, KIND_NETWORK), 1);
	assert_int_equal(count(&s, KIND_SUBNET), 0);
	close_site(&s);
}

static void the_articles_first_underlay_pod_gets_its_first_address(void **)
{
	struct site s;

	put_file("article.yaml",
		"---\napiVersion: networking.alibaba.com/v1\nkind: Network\nmetadata:\n  name: "
		"underlay-network1\n"
		"spec:\n  netID: 0\n  nodeSelector:\n    network: network1\n  type: Underlay\n\n"
		"---\napiVersion: networking.alibaba.com/v1\nkind: Subnet\nmetadata:\n  name: "
		"underlay-subnet1\n"
		"spec:\n  network: underlay-network1\n  netID: 0\n  range:\n    version: \"4\"\n"
		"    cidr: \"192.168.56.0/24\"\n    gateway: \"192.168.56.254\"\n    start: "
		"\"192.168.56.100\"\n"
		"    end: \"192.168.56.150\"\n");
	put_node("node1", "network: network1");
	put_node("node2", "network: other");
	conf.create_defaults = true;
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("network-type", "Underlay"), "");
	expect_ip(&s, "a", "192.168.56.100");
	expect_status(&s, KIND_NETWORK, "underlay-network1", "\"nodeList\":[\"node1\"]");
	expect_status(&s, KIND_SUBNET, "underlay-subnet1",
		"\"total\":51,\"used\":1,\"available\":50,\"lastAllocatedIP\":\"192.168.56.100\"");
	expect_status(&s, KIND_NETWORK, "underlay-network1",
		"\"lastAllocatedSubnet\":\"underlay-subnet1\"");
	expect_json(&s, KIND_IPINSTANCE, "x", "192-168-56-100",
		"\"ip\":\"192.168.56.100/"
		"24\",\"gateway\":\"192.168.56.254\",\"netID\":0,\"mac\":\"02:12:34:");
	create_pod(&s, "b", "node2", ANN("network-type", "Underlay"), "");
	expect_failure(&s, "b", "unable to find underlay network for node node2");
	put_node("node2", "network: network1");
	expect_ip(&s, "b", "192.168.56.101");
	close_site(&s);
}

static void a_deleted_pods_address_is_free_but_not_the_next(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 0);
	expect_status(&s, KIND_SUBNET, "s", "\"used\":0,\"available\":254");
	assert_false(has_file("ipinstances/x/10-0-0-1.yaml"));
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.2");
	close_site(&s);
}

static void dual_stack_gives_both_families_one_mac(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("ip-family", "dualStack"), "");
	struct ips ips = ips_of(&s, "a", 2);
	assert_string_equal(ips.text[0], "10.0.0.1");
	assert_string_equal(ips.text[1], "fd00::1");
	assert_memory_equal(ips.mac[0], ips.mac[1], 6);
	assert_memory_equal(ips.mac[0], "\x02\x12\x34", 3);
	expect_status(&s, KIND_NETWORK, "n",
		"\"ipv6Statistics\":{\"total\":255,\"used\":1,\"available\":254},"
		"\"dualStackStatistics\":{\"total\":0,\"used\":0,\"available\":253}");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 0);
	close_site(&s);
}

static void a_full_subnet_is_said_on_the_pod_until_an_address_is_free(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/29", ", start: 10.0.0.1, end: 10.0.0.2");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	create_pod(&s, "b", "node1", "", "");
	create_pod(&s, "c", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	expect_ip(&s, "b", "10.0.0.2");
	expect_failure(&s, "c", "fail to get ipv4 subnet: no available subnet");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_ip(&s, "c", "10.0.0.1");
	expect_json(&s, KIND_POD, "x", "c", "\"status\":\"True\"");
	close_site(&s);
}

static void what_cannot_be_had_is_said_in_hybridnets_words(void **)
{
	static const struct {
		const char *annotations, *message;
	} cases[] = {
		{ANN("ip-family", "IPv5"), "unrecognized ip family IPv5"},
		{ANN("network-type", "Fog"), "unrecognized network type Fog"},
		{ANN("network-type", "GlobalBGP"), "unable to find global bgp network"},
		{ANN("specified-network", "m"),
			"failed to get network m: Network.networking.alibaba.com \\\"m\\\" not "
			"found"},
		{ANN("specified-subnet", "t"), "specified subnet t not found"},
		{ANN("specified-subnet", "s/s6/s"),
			"cannot have more than two specified subnet in dualstack"},
		{ANN("specified-subnet", "s6/s"), "when both ipv4/ipv6 subnets are specified, the "
						  "subnet name in front of the \\\"/\\\" should be "
						  "an ipv4 subnet"},
		{ANN("specified-network", "n") "," ANN("network-type", "Underlay"),
			"specified network n does not match network type Underlay"},
	};
	struct site s;
	char name[16];

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(name, sizeof(name), "p%zu", i);
		create_pod(&s, name, "node1", cases[i].annotations, "");
		expect_failure(&s, name, cases[i].message);
	}
	assert_int_equal(count(&s, KIND_IPINSTANCE), 0);
	close_site(&s);
}

static void a_named_subnet_is_taken_from_also_a_private_one(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("t", "4", "10.0.1.0/24", "}, config: {private: true");
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("specified-subnet", "t"), "");
	expect_ip(&s, "a", "10.0.1.1");
	create_pod(&s, "b", "node1", "", "");
	expect_ip(&s, "b", "10.0.0.1");
	close_site(&s);
}

static void pods_of_the_host_network_and_without_a_node_get_none(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	assert_int_equal(
		do_create(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
				   "\"h\",\"namespace\":\"x\"},"
				   "\"spec\":{\"nodeName\":\"node1\",\"hostNetwork\":true}}"),
		0);
	create_pod(&s, "u", "", "", "");
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(count(&s, KIND_IPINSTANCE), 1);
	close_site(&s);
}

static void a_stateful_pod_keeps_its_address_and_mac_over_its_lives(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	create_pod(&s, "web-3", "node1", ANN("ip-family", "DualStack"), STATEFUL);
	struct ips before = ips_of(&s, "web-3", 2);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"stateful\":{\"index\":3}");
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1",
		"\"referredObject\":{\"kind\":\"StatefulSet\",\"name\":\"web\"");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "web-3"), 0);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1",
		"\"stateful\":{\"index\":3},\"podName\":\"web-3\"}"); // and no node, no uid
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.2");
	assert_null(cache_get(s.cache, KIND_POD, "x", "web-3"));
	create_pod(&s, "web-3", "node2", "", STATEFUL);
	struct ips after = ips_of(&s, "web-3", 2);
	assert_string_equal(after.text[0], before.text[0]);
	assert_string_equal(after.text[1], before.text[1]);
	assert_memory_equal(after.mac[0], before.mac[0], 6);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"nodeName\":\"node2\"");
	close_site(&s);
}

static void a_stateful_pod_that_does_not_retain_gives_its_address_back(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	create_pod(&s, "web-0", "node1", ANN("ip-retain", "false"), STATEFUL);
	expect_ip(&s, "web-0", "10.0.0.1");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "web-0"), 0);
	expect_instances(&s, 0);
	create_pod(&s, "web-0", "node1", ANN("ip-retain", "false"), STATEFUL);
	expect_ip(&s, "web-0", "10.0.0.2");
	close_site(&s);
}

static void an_evicted_pod_loses_its_address(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(do_update_status(s.store,
				 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
				 "\"a\",\"namespace\":\"x\"},"
				 "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}"),
		0);
	expect_instances(&s, 0);
	close_site(&s);
}

static void another_takes_over_and_knows_everything(void **)
{
	struct site a, b;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&a);
	open_site(&b);
	create_pod(&a, "p", "node1", "", "");
	create_pod(&a, "q", "node1", "", "");
	expect_ip(&a, "q", "10.0.0.2");
	assert_false(manager_active(b.manager));
	close_site(&a);
	create_pod(&b, "r", "node1", "", ""); // while nobody is active
	assert_true(loop_until(is_active, &b));
	expect_ip(&b, "p", "10.0.0.1");
	expect_ip(&b, "r", "10.0.0.3");
	assert_int_equal(do_delete(b.store, KIND_POD, "x", "p"), 0);
	expect_instances(&b, 2);
	close_site(&b);
}

static void a_restart_sweeps_what_lost_its_pod_but_not_what_a_person_wrote(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	create_pod(&s, "p", "node1", "", "");
	create_pod(&s, "q", "node1", "", "");
	expect_ip(&s, "q", "10.0.0.2");
	expect_status(&s, KIND_SUBNET, "s", "\"lastAllocatedIP\":\"10.0.0.2\"");
	close_site(&s);
	remove_file("pods/x/p.yaml");
	put_file("byhand.yaml", API "kind: IPInstance\nmetadata: {name: 10-0-0-3, namespace: x}\n"
				    "spec: {network: n, subnet: s, address: {version: \"4\", ip: "
				    "10.0.0.3/24, mac: \"02:00:00:00:00:01\"},"
				    " binding: {referredObject: {kind: Pod, name: far, uid: u}, "
				    "nodeName: far, podName: far, podUID: u}}\n");
	open_active(&s);
	expect_instances(&s, 2);
	expect_ip(&s, "q", "10.0.0.2");
	assert_non_null(cache_get(s.cache, KIND_IPINSTANCE, "x", "10-0-0-3"));
	create_pod(&s, "r", "node1", "", "");
	expect_ip(&s, "r", "10.0.0.4"); // neither the one by hand nor one twice
	close_site(&s);
}

static void half_of_a_dual_stack_pod_is_made_whole(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	conf.default_ip_family = "DualStack";
	open_active(&s);
	create_pod(&s, "p", "node1", "", "");
	(void)ips_of(&s, "p", 2);
	close_site(&s);
	remove_file("ipinstances/x/10-0-0-1.yaml");
	open_active(&s);
	struct ips ips = ips_of(&s, "p", 2);
	assert_memory_equal(ips.mac[0], ips.mac[1], 6);
	expect_instances(&s, 2);
	close_site(&s);
}

static void trouble_is_written_into_the_objects_status(void **)
{
	struct site s;

	put_overlay();
	open_active(&s);
	put_file("bad.yaml", API "kind: Subnet\nmetadata: {name: bad}\n"
				 "spec: {network: n, range: {version: \"4\", cidr: 10.0.0.0/24, "
				 "start: 10.0.0.9, end: 10.0.0.5}}\n");
	put_file("n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 5}\n");
	loop_for(600);
	char *text = get_file("status/subnets/bad.yaml");
	assert_non_null(text);
	assert_non_null(strstr(text,
		"subnet should have at least one available IP. start=10.0.0.9, end=10.0.0.5"));
	free(text);
	text = get_file("status/networks/n.yaml");
	assert_non_null(strstr(text, "net ID must not be changed"));
	assert_non_null(
		strstr(text, "\"False\"") != NULL ? text : strstr(text, "status: \"False\""));
	free(text);
	put_overlay();
	put_subnet("bad", "4", "10.0.0.0/24", "");
	remove_file("bad.yaml");
	put_subnet("bad", "4", "10.0.0.0/24", "");
	expect_status(&s, KIND_SUBNET, "bad", "\"type\":\"Accepted\",\"status\":\"True\"");
	expect_status(&s, KIND_NETWORK, "n", "\"type\":\"Accepted\",\"status\":\"True\"");
	close_site(&s);
}

static void a_subnet_removed_in_use_comes_back_until_its_last_user_is_gone(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	remove_file("s.yaml");
	expect_status(&s, KIND_SUBNET, "s",
		"its file was removed while it was in use: it goes with its last user");
	assert_true(has_file("subnets/s.yaml"));
	create_pod(&s, "b", "node1", "", ""); // no new users
	expect_failure(&s, "b", "fail to get ipv4 subnet: no available subnet");
	close_site(&s);

	open_active(&s); // nor is it lost by a restart
	expect_ip(&s, "a", "10.0.0.1");
	put_subnet("s", "4", "10.0.0.0/24", ""); // a change of mind
	expect_ip(&s, "b", "10.0.0.2");
	assert_false(has_file("subnets/s.yaml"));
	expect_status(&s, KIND_SUBNET, "s", "\"type\":\"Accepted\",\"status\":\"True\"");
	remove_file("s.yaml");
	expect_status(&s, KIND_SUBNET, "s", "removed-in-use");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 1);
	assert_non_null(cache_get(s.cache, KIND_SUBNET, NULL, "s"));
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "b"), 0);
	expect_instances(&s, 0);
	loop_for(400);
	assert_null(cache_get(s.cache, KIND_SUBNET, NULL, "s"));
	assert_false(has_file("subnets/s.yaml"));
	close_site(&s);
}

static bool no_pods_miss(void *arg)
{
	const struct site *s = arg;
	return count(s, KIND_IPINSTANCE) == 300;
}

struct pair {
	uint8_t macs[300][6];
	size_t n;
};

static bool collect_mac(const struct object *obj, const cJSON *, void *arg)
{
	struct pair *p = arg;

	for (size_t i = 0; i < p->n; i++)
		assert_memory_not_equal(
			p->macs[i], ((const struct ipinstance *)(const void *)obj)->address.mac, 6);
	memcpy(p->macs[p->n++], ((const struct ipinstance *)(const void *)obj)->address.mac, 6);
	return true;
}

static unsigned int n_writes;

static void on_put(void *, enum kind kind, enum cache_event event, const struct object *,
	const struct object *)
{
	n_writes += kind == KIND_SUBNET && event == CACHE_PUT;
}

static void three_hundred_pods_get_an_address_each(void **)
{
	struct site s;
	char json[256];
	struct cache_subscriber sub = {.event = on_put};

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/23", "");
	open_active(&s);
	cache_subscribe(s.cache, &sub);
	n_writes = 0;
	uint64_t start = uv_hrtime();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(json, sizeof(json),
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%d\","
			"\"namespace\":\"x\"},"
			"\"spec\":{\"nodeName\":\"node1\"}}",
			i);
		cJSON *obj = cJSON_Parse(json);
		s.store->ops->create(s.store, obj, NULL, NULL);
		cJSON_Delete(obj);
	}
	assert_true(loop_until(no_pods_miss, &s));
	print_message("300 pods: %lu ms, %u writes of the Subnet\n",
		(unsigned long)((uv_hrtime() - start) / 1000000), n_writes);
	struct pair p = {0};
	cache_each(s.cache, KIND_IPINSTANCE, collect_mac, &p);
	expect_status(&s, KIND_SUBNET, "s",
		"\"used\":300,\"available\":210,\"lastAllocatedIP\":\"10.0.1.44\"");
	assert_true(n_writes < 100);
	expect_ip(&s, "p0", "10.0.0.1");
	expect_ip(&s, "p299", "10.0.1.44");
	cache_unsubscribe(s.cache, &sub);
	close_site(&s);
}

#define MANAGER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANAGER_TEST(the_first_start_makes_a_network_and_a_subnet),
		MANAGER_TEST(existing_networks_are_left_alone),
		MANAGER_TEST(the_articles_first_underlay_pod_gets_its_first_address),
		MANAGER_TEST(a_deleted_pods_address_is_free_but_not_the_next),
		MANAGER_TEST(dual_stack_gives_both_families_one_mac),
		MANAGER_TEST(a_full_subnet_is_said_on_the_pod_until_an_address_is_free),
		MANAGER_TEST(what_cannot_be_had_is_said_in_hybridnets_words),
		MANAGER_TEST(a_named_subnet_is_taken_from_also_a_private_one),
		MANAGER_TEST(pods_of_the_host_network_and_without_a_node_get_none),
		MANAGER_TEST(a_stateful_pod_keeps_its_address_and_mac_over_its_lives),
		MANAGER_TEST(a_stateful_pod_that_does_not_retain_gives_its_address_back),
		MANAGER_TEST(an_evicted_pod_loses_its_address),
		MANAGER_TEST(another_takes_over_and_knows_everything),
		MANAGER_TEST(a_restart_sweeps_what_lost_its_pod_but_not_what_a_person_wrote),
		MANAGER_TEST(half_of_a_dual_stack_pod_is_made_whole),
		MANAGER_TEST(trouble_is_written_into_the_objects_status),
		MANAGER_TEST(a_subnet_removed_in_use_comes_back_until_its_last_user_is_gone),
		MANAGER_TEST(three_hundred_pods_get_an_address_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
