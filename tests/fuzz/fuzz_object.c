// Fuzzes what becomes of an object that anybody may have written: bytes → JSON → decoder → admission
// beside a few other objects → address management. Run by libFuzzer, or by replay.c on the corpus.
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ctrl/ipam/ipam.h"
#include "ctrl/model/admission.h"
#include "ctrl/model/pod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD "{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":"
#define N_ALLOCATIONS 4

// What a wrong answer of the code under test ends in: libFuzzer keeps the input.
static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct object *fixed(const char *text)
{
	char error[MODEL_ERROR_MAX];
	struct object *obj = NULL;
	cJSON *json = cJSON_Parse(text);

	check(object_decode(json, &obj, error) == 0);
	cJSON_Delete(json);
	return obj;
}

// A cluster with an object of each kind; made once.
static const struct admission_view *cluster(void)
{
	static const struct network *networks[2];
	static const struct subnet_obj *subnets[2];
	static const struct ipinstance *ipinstances[1];
	static const struct object *nodes[1];
	static const struct admission_view view = {
		.networks = networks,
		.n_networks = 2,
		.subnets = subnets,
		.n_subnets = 2,
		.ipinstances = ipinstances,
		.n_ipinstances = 1,
		.nodes = nodes,
		.n_nodes = 1,
	};

	if (networks[0] != NULL)
		return &view;
	networks[0] = (const void *)fixed(HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":"
					       "{\"type\":\"Overlay\",\"netID\":4}}");
	networks[1] =
		(const void *)fixed(HEAD "\"Network\",\"metadata\":{\"name\":\"u\"},\"spec\":{"
					 "\"nodeSelector\":{\"a\":\"b\"}}}");
	subnets[0] = (const void *)fixed(HEAD
		"\"Subnet\",\"metadata\":{\"name\":\"s\"},\"spec\":{\"network\":\"n\",\"range\":{"
		"\"version\":\"4\",\"cidr\":\"10.0.0.0/24\",\"excludeIPs\":[\"10.0.0.9\"]}}}");
	subnets[1] = (const void *)fixed(
		HEAD "\"Subnet\",\"metadata\":{\"name\":\"t\"},\"spec\":{\"network\":\"u\","
		     "\"netID\":7,\"range\":"
		     "{\"version\":\"6\",\"cidr\":\"fd00::/64\",\"gateway\":\"fd00::1\"}}}");
	ipinstances[0] = (const void *)fixed(
		HEAD "\"IPInstance\",\"metadata\":{\"name\":\"10-0-0-5\"},\"spec\":{\"network\":"
		     "\"n\",\"subnet\":"
		     "\"s\",\"address\":{\"ip\":\"10.0.0.5/24\",\"mac\":\"02:12:34:00:00:01\"}}}");
	nodes[0] = fixed(
		HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"node1\",\"labels\":{\"a\":\"b\"}}}");
	return &view;
}

// An answer has words if it is a refusal, and they end.
static void check_answer(bool ok, const char message[ADMISSION_MESSAGE_MAX])
{
	check(ok || (message[0] != '\0' && memchr(message, '\0', ADMISSION_MESSAGE_MAX) != NULL));
}

static void judge_network(const struct network *n)
{
	const struct admission_view *view = cluster();
	char message[ADMISSION_MESSAGE_MAX] = "";

	check_answer(admit_network_create(view, n, message), message);
	check_answer(admit_network_update(view, view->networks[0], n, message), message);
	check_answer(admit_network_update(view, n, n, message), message);
	check_answer(admit_network_delete(view, n, message), message);
}

// What admission lets pass, address management takes; what it then gives out is in the range.
static void allocate(const struct subnet_obj *s)
{
	struct ipam *ipam = ipam_new();
	char error[IPAM_ERROR_MAX] = "";
	struct in6_addr start, end;

	check(ipam != NULL);
	for (size_t i = 0; i < cluster()->n_networks; i++)
		check(ipam_put_network(ipam, cluster()->networks[i]) == 0);
	check(ipam_put_subnet(ipam, s, error) == 0);
	subnet_bounds(s, &start, &end);
	for (int i = 0; i < N_ALLOCATIONS; i++) {
		enum ip_family family =
			ip_is_v4(&s->range.cidr.ip) ? IP_FAMILY_IPV4 : IP_FAMILY_IPV6;
		struct ipam_address a[2];
		size_t n;

		if (ipam_allocate(ipam, s->network, family, s->obj.meta.name, NULL, "ns/pod", a, &n,
			    error) < 0) {
			check(error[0] != '\0');
			break;
		}
		check(ip_cmp(&a[0].ip.ip, &start) >= 0 && ip_cmp(&a[0].ip.ip, &end) <= 0);
		check(!s->range.has_gateway || ip_cmp(&a[0].ip.ip, &s->range.gateway) != 0);
	}
	struct ipam_usage usage;
	check(ipam_subnet_usage(ipam, s->obj.meta.name, &usage) == 0);
	check(usage.count.used <= usage.count.total && usage.count.available >= 0);
	ipam_free(ipam);
}

static void judge_subnet(const struct subnet_obj *s)
{
	const struct admission_view *view = cluster();
	char message[ADMISSION_MESSAGE_MAX] = "";
	bool ok = admit_subnet_create(view, s, message);

	check_answer(ok, message);
	check_answer(admit_subnet_update(view, view->subnets[0], s, message), message);
	check_answer(admit_subnet_update(view, s, s, message), message);
	check_answer(admit_subnet_delete(view, s, message), message);
	if (ok)
		allocate(s);
}

static void judge_ipinstance(const struct ipinstance *i)
{
	char message[ADMISSION_MESSAGE_MAX] = "", name[64], label[LABEL_MAX_LEN];

	check_answer(admit_ipinstance(cluster(), i, message), message);
	check_answer(admit_ipinstance_address(cluster(), i, message), message);
	ipinstance_name(&i->address.ip.ip, name);
	ipinstance_pod_label(i->binding.pod_name, label);
	check(strlen(label) < LABEL_MAX_LEN);
}

static void judge(const struct object *obj)
{
	char key[2 * NAME_MAX_LEN];

	meta_key(&obj->meta, key, sizeof(key));
	check(key[0] != '\0');
	if (obj->kind == KIND_NETWORK)
		judge_network((const void *)obj);
	else if (obj->kind == KIND_SUBNET)
		judge_subnet((const void *)obj);
	else if (obj->kind == KIND_IPINSTANCE)
		judge_ipinstance((const void *)obj);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[MODEL_ERROR_MAX] = "", field[MODEL_ERROR_MAX];
	struct object *obj = NULL;
	cJSON *json = cJSON_ParseWithLength((const char *)data, size);

	if (json == NULL)
		return 0;
	(void)object_unknown_field(json, true, field);
	if (object_decode(json, &obj, error) == 0) {
		judge(obj);
		object_free(obj);
	} else {
		check(obj == NULL && error[0] != '\0' &&
			memchr(error, '\0', sizeof(error)) != NULL);
	}
	cJSON_Delete(json);
	return 0;
}
