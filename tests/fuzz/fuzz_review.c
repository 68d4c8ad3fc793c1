// Fuzzes what an API server, or whoever pretends to be one, may send to the webhooks: bytes →
// AdmissionReview → what is to be read → both verdicts → ledger → answer. Run by libFuzzer, or by
// replay.c on the corpus.
#include <stdlib.h>
#include <string.h>

#include "ctrl/manager/judge.h"
#include "ctrl/manager/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1700000000000
#define REQUESTS_MAX 8 // more than any review asks for

static const struct judge_conf conf = {
	.selection = {.network_type = "Underlay",
		.ip_family = "IPv4",
		.stateful_kinds = "StatefulSet",
		.ip_retain = true},
	.namespace = "kube-system",
	.manager_account = "system:serviceaccount:kube-system:strata-manager",
	.node_account = "system:serviceaccount:kube-system:strata-node",
};

// What every list has, whoever asks for it.
static const char *const lists[KIND_COUNT] = {
	[KIND_NETWORK] =
		"{\"items\":["
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\",\"metadata\":"
		"{\"name\":\"n\"},\"spec\":{\"type\":\"Overlay\",\"netID\":4}},"
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\",\"metadata\":"
		"{\"name\":\"u\"},\"spec\":{\"nodeSelector\":{\"a\":\"b\"}}},"
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\",\"metadata\":"
		"{\"name\":\"g\"},\"spec\":{\"type\":\"GlobalBGP\"}}]}",
	[KIND_SUBNET] =
		"{\"items\":["
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Subnet\",\"metadata\":{"
		"\"name\":\"s\"},\"spec\":{\"network\":\"n\",\"range\":{\"version\":\"4\",\"cidr\":"
		"\"10.0.0.0/24\"}}},"
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Subnet\",\"metadata\":{"
		"\"name\":\"t\"},\"spec\":{\"network\":\"u\",\"range\":{\"version\":\"6\",\"cidr\":"
		"\"fd00::/64\",\"gateway\":\"fd00::1\"}}}]}",
	[KIND_IPINSTANCE] =
		"{\"items\":[{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"IPInstance\","
		"\"metadata\":{\"name\":\"10-0-0-5\",\"namespace\":\"default\"},\"spec\":{"
		"\"network\":"
		"\"n\",\"subnet\":\"s\",\"address\":{\"ip\":\"10.0.0.5/"
		"24\",\"mac\":\"02:12:34:00:00:01\"}"
		",\"binding\":{\"podName\":\"pod\"}}}]}",
	[KIND_NODEINFO] = "{\"items\":[]}",
	[KIND_POD] = "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"node1\"}}",
	[KIND_NODE] = "{\"items\":[{\"metadata\":{\"name\":\"node1\",\"labels\":{\"a\":\"b\"}}}]}",
	[KIND_NAMESPACE] = "{\"metadata\":{\"name\":\"default\"}}",
};

// What a wrong answer of the code under test ends in: libFuzzer keeps the input.
static void check(bool ok)
{
	if (!ok)
		abort();
}

static void read_all(const struct review *r, struct facts *f)
{
	struct facts_request request;
	const char *more;

	for (int i = 0; facts_next(&conf, r, f, true, &request); i++) {
		check(i < REQUESTS_MAX &&
			memchr(request.path, '\0', sizeof(request.path)) != NULL &&
			request.path[0] == '/');
		cJSON *answer = cJSON_Parse(lists[request.kind]);
		check(facts_take(f, &request, 200, answer, &more) == 0 && more == NULL);
		cJSON_Delete(answer);
	}
}

static void check_answer(const struct review *r, struct review_answer *a)
{
	check(a->allowed || (a->code >= 400 && a->message[0] != '\0' &&
				    memchr(a->message, '\0', sizeof(a->message)) != NULL));
	check(a->allowed || a->patch == NULL);
	char *text = review_encode(r, a);
	cJSON *json = cJSON_Parse(text);
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(json, "response");
	check(cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(response, "allowed")) &&
		cJSON_IsString(cJSON_GetObjectItemCaseSensitive(response, "uid")));
	cJSON_Delete(json);
	cJSON_free(text);
	cJSON_Delete(a->patch);
}

static void note(const struct review *r, struct facts *f)
{
	cJSON *lease = NULL, *again = NULL;

	if (!ledger_takes(r))
		return;
	check(ledger_note(NULL, "kube-system", r, NOW_MS, &lease) == 0);
	check(ledger_apply(lease, r, NOW_MS, f) == 0);
	check(ledger_note(lease, "kube-system", r, NOW_MS, &again) == 0);
	cJSON_Delete(lease);
	cJSON_Delete(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[MODEL_ERROR_MAX] = "";
	struct review_answer a;
	struct facts f = {0};
	struct review r;

	if (review_decode((const char *)data, size, &r, error) < 0) {
		check(error[0] != '\0' && memchr(error, '\0', sizeof(error)) != NULL);
		return 0;
	}
	read_all(&r, &f);
	judge_mutate(&conf, &r, &f, &a);
	check_answer(&r, &a);
	judge_validate(&conf, &r, &f, &a);
	bool allowed = a.allowed;
	check_answer(&r, &a);
	if (allowed)
		note(&r, &f);
	facts_fini(&f);
	review_fini(&r);
	return 0;
}
