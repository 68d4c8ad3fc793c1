// /validate: Networks and Subnets by ctrl/model/admission.h; who may write IPInstances and NodeInfos.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/manager/judge.h"

// As controller-runtime answers a rule's no.
#define CODE_DENIED 403
#define CODE_MALFORMED 400

static void answer(struct review_answer *a, bool ok)
{
	a->allowed = ok;
	a->code = CODE_DENIED; // of a refusal
}

// ── Networks, Subnets ──────────────────────────────────────────────────────────────────────────

static void judge_delete(
	const struct admission_view *view, const struct review *r, struct review_answer *a)
{
	bool is_network = r->kind == KIND_NETWORK;
	struct object *made = NULL;
	const struct object *obj = r->old;

	if (obj == NULL) // what is stored is malformed: its name is all there is
		obj = made = object_named(r->kind, review_name(r));
	if (obj == NULL) {
		(void)review_refuse(a, 500, "out of memory");
		return;
	}
	answer(a, is_network ? admit_network_delete(view, (const void *)obj, a->message)
			     : admit_subnet_delete(view, (const void *)obj, a->message));
	object_free(made);
}

static void judge_network(
	const struct admission_view *view, const struct review *r, struct review_answer *a)
{
	const struct network *n = (const void *)r->object, *old = (const void *)r->old;

	// What is stored and malformed may be put right.
	answer(a, r->operation == REVIEW_UPDATE && old != NULL
			  ? admit_network_update(view, old, n, a->message)
			  : admit_network_create(view, n, a->message));
}

static void judge_subnet(
	const struct admission_view *view, const struct review *r, struct review_answer *a)
{
	const struct subnet_obj *s = (const void *)r->object, *old = (const void *)r->old;

	answer(a, r->operation == REVIEW_UPDATE && old != NULL
			  ? admit_subnet_update(view, old, s, a->message)
			  : admit_subnet_create(view, s, a->message));
}

static void judge_definition(const struct review *r, const struct facts *f, struct review_answer *a)
{
	const struct admission_view view = facts_view(f);

	if (r->operation == REVIEW_DELETE)
		judge_delete(&view, r, a);
	else if (r->object == NULL)
		(void)review_refuse(a, CODE_MALFORMED, "%s", r->malformed);
	else if (r->operation == REVIEW_UPDATE && r->object->meta.deleting)
		a->allowed = true; // its finalizers go; nothing may keep it
	else if (r->kind == KIND_NETWORK)
		judge_network(&view, r, a);
	else
		judge_subnet(&view, r, a);
}

// ── A node's own objects (a rule of our own) ───────────────────────────────────────────────────

static void judge_node_user(
	const struct review *r, const char *node, bool own, struct review_answer *a)
{
	const char *of = r->kind == KIND_NODEINFO ? "nodeinfo" : "ipinstance";

	if (r->kind == KIND_IPINSTANCE && r->subresource[0] == '\0')
		(void)review_refuse(a, CODE_DENIED,
			"a node may write the status of its own ipinstances only, not ipinstance "
			"%s",
			review_name(r));
	else if (node != NULL && !own)
		(void)review_refuse(a, CODE_DENIED, "node %s may not write %s %s of another node",
			node, of, review_name(r));
}

static bool is_own(const struct review *r, const char *node)
{
	// By what is stored: a status cannot change whose the object is.
	const struct ipinstance *i = (const void *)(r->old != NULL ? r->old : r->object);

	if (node == NULL)
		return false;
	if (r->kind == KIND_NODEINFO)
		return strcmp(review_name(r), node) == 0;
	return i != NULL && strcmp(i->binding.node_name, node) == 0;
}

// ── IPInstances, NodeInfos ─────────────────────────────────────────────────────────────────────

// One that somebody writes by hand.
static void judge_ipinstance(const struct review *r, const struct facts *f, struct review_answer *a)
{
	const struct ipinstance *i = (const void *)r->object;
	const struct admission_view view = facts_view(f);

	if (!facts_moves(r))
		return;
	answer(a, admit_ipinstance(&view, i, a->message) &&
			  admit_ipinstance_address(&view, i, a->message));
}

static void judge_shared(const struct judge_conf *conf, const struct review *r,
	const struct facts *f, struct review_answer *a)
{
	const char *node;

	if (facts_user_is_node(conf, r, f, &node)) {
		judge_node_user(r, node, is_own(r, node), a);
		if (!a->allowed)
			return;
	}
	if (r->operation == REVIEW_DELETE || r->operation == REVIEW_OTHER)
		return;
	if (r->object == NULL)
		(void)review_refuse(a, CODE_MALFORMED, "%s", r->malformed);
	else if (r->kind == KIND_IPINSTANCE && r->subresource[0] == '\0' &&
		 strcmp(r->user, conf->manager_account) != 0)
		judge_ipinstance(r, f, a);
}

void judge_validate(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *ret_answer)
{
	struct review_answer a = {.allowed = true};

	switch (r->kind) {
	case KIND_NETWORK:
	case KIND_SUBNET:
		if (r->subresource[0] == '\0' && r->operation != REVIEW_OTHER)
			judge_definition(r, f, &a);
		break;
	case KIND_IPINSTANCE:
	case KIND_NODEINFO:
		judge_shared(conf, r, f, &a);
		break;
	case KIND_POD:
		if (r->subresource[0] == '\0' && r->operation == REVIEW_CREATE)
			judge_pod(conf, r, f, &a);
		break;
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
	*ret_answer = a;
}
