// What the cluster hears of an ADD that is refused before it has begun.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utlist.h>

#include "ctrl/node/cni_inner.h"

static bool no_memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static struct {
	unsigned int n;
	char pod[64], uid[64], reason[64], message[1024];
	bool warning;
} said;

static void on_event(struct store *, const struct store_event_record *r)
{
	said.n++;
	said.warning = r->warning;
	assert_int_equal(r->about.kind, KIND_POD);
	(void)snprintf(said.pod, sizeof(said.pod), "%s/%s", r->about.namespace, r->about.name);
	(void)snprintf(said.uid, sizeof(said.uid), "%s", r->uid != NULL ? r->uid : "");
	(void)snprintf(said.reason, sizeof(said.reason), "%s", r->reason);
	(void)snprintf(said.message, sizeof(said.message), "%s", r->message);
}

static void an_add_without_memory_is_an_event_on_the_pod(void **)
{
	const struct store_ops ops = {.event = on_event};
	struct store store = {.ops = &ops, .backend = "test"};
	struct cni cni = {.conf.store = &store};
	struct slot *s = slot_get(&cni, "c1", "eth0");
	struct op *op = calloc(1, sizeof(*op));

	assert_non_null(s);
	assert_non_null(op);
	op->cni = &cni;
	op->slot = s;
	op->request.command = CNI_ADD;
	strcpy(op->request.namespace, "shop");
	strcpy(op->request.pod, "till");
	strcpy(op->request.uid, "u-1");
	DL_APPEND(s->ops, op);

	no_memory = true;
	add_begin(op);
	no_memory = false;

	assert_int_equal(said.n, 1);
	assert_true(said.warning);
	assert_string_equal(said.pod, "shop/till");
	assert_string_equal(said.uid, "u-1");
	assert_string_equal(said.reason, "AttachFailed");
	assert_string_equal(said.message, "out of memory (" CNI_MEMORY_REMEDY ")");
	assert_null(cni.slots); // nothing is kept of it
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_add_without_memory_is_an_event_on_the_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
